package io.firn.train;

import io.firn.error.UserError;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * How a training goes on from given weights beyond what is frozen at its start.
 *
 * @param unfreeze what is frozen instead from an epoch on, as {@code EPOCH:SPEC}, in ascending order; each must be frozen
 *                 already
 * @param patience epochs without a better validation after which training ends; null for no end before the last epoch
 */
public record TransferOptions(List<String> unfreeze, Integer patience) {

    public TransferOptions {
        unfreeze = unfreeze == null ? List.of() : List.copyOf(unfreeze);
        if (patience != null) {
            Range.atLeast("patience", patience, 1);
        }
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
