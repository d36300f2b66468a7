package io.firn.train;

import io.firn.error.UserError;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * How a training goes on from given weights beyond what is frozen at its start.
 *
 * @param unfreeze what is frozen instead from an epoch on, as {@code EPOCH:SPEC}, in ascending order; each must be frozen
 *                 already
 * @param featureCache {@code off}, {@code auto}, or the most bytes that what the frozen prefix computes of the images may
 *                 take, such as {@code 4GB}
 * @param featureCacheFolder where it is kept for later runs; null for memory, or the run's folder until the run is done
 * @param cacheViews variations of each image in which epochs take turns; null for new ones in each epoch, or with a feature
 *                 cache for as many as are usual
 * @param patience epochs without a better validation after which training ends; null for no end before the last epoch
 */
public record TransferOptions(List<String> unfreeze, String featureCache, String featureCacheFolder, Integer cacheViews,
                              Integer patience) {
    static final String OFF = "off";
    private static final String AUTO = "auto";
    /** What auto takes at most. */
    private static final long AUTO_BYTES = 8_000_000_000L;

    public TransferOptions {
        unfreeze = unfreeze == null ? List.of() : List.copyOf(unfreeze);
        featureCache = featureCache == null ? OFF : featureCache.strip().toLowerCase(Locale.ROOT);
        bytes(featureCache);
        if (featureCacheFolder != null && featureCache.equals(OFF)) {
            throw UserError.usage("--feature-cache-folder needs --feature-cache SIZE or auto");
        }
        if (cacheViews != null) {
            Range.atLeast("cache-views", cacheViews, 1);
        }
        if (patience != null) {
            Range.atLeast("patience", patience, 1);
        }
    }

    private static long bytes(String featureCache) {
        return switch (featureCache) {
            case OFF -> 0;
            case AUTO -> AUTO_BYTES;
            default -> ByteSize.of("feature-cache", featureCache);
        };
    }

    /** The most bytes that a feature cache may take; 0 for none. */
    long cacheBytes() {
        return bytes(featureCache);
    }

    /** Whether there is to be a feature cache only where it saves time. */
    boolean isCacheAuto() {
        return featureCache.equals(AUTO);
    }

    /**
     * Epochs over which the same is frozen.
     *
     * @param from   the first
     * @param freeze as {@code --freeze} has it
     */
    public record Phase(int from, String freeze) {
    }

    /** All phases, the first of which begins with the run. */
    List<Phase> phases(String freeze) {
        List<Phase> phases = new ArrayList<>(List.of(new Phase(0, freeze)));
        for (String u : unfreeze) {
            int colon = u.indexOf(':');
            int from;
            try {
                from = Integer.parseInt(u.substring(0, Math.max(0, colon)).strip());
            } catch (NumberFormatException e) {
                throw UserError.usage("--unfreeze %s: must be EPOCH:SPEC, such as 2:until:layer4 or 5:none", u).causedBy(e);
            }
            if (from <= phases.getLast().from) {
                throw UserError.usage("--unfreeze %s: epochs must be above 0 and ascend", String.join(",", unfreeze));
            }
            phases.add(new Phase(from, u.substring(colon + 1).strip()));
        }
        return phases;
    }

    /** Refuses to freeze what was trained before: its state would be neither the start's nor the end's. */
    static void checkShrinks(Phase phase, Set<String> before, Set<String> now) {
        now.stream().filter(name -> !before.contains(name)).findFirst().ifPresent(name -> {
            throw UserError.usage("--unfreeze %d:%s freezes %s, which was trained before: phases can only unfreeze",
                    phase.from, phase.freeze, name);
        });
    }
}
