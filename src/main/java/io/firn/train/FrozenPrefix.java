package io.firn.train;

import io.firn.plan.PlanRequest;
import java.util.Optional;
import java.util.Set;

/**
 * Whether a phase of a run computes what is frozen before all that is trained by a plan of its own, so that its results can
 * be kept. That follows from the options alone: a resumed run has the plans of the one before. Whether the results are in
 * fact kept changes no bit ({@link Features}).
 */
final class FrozenPrefix {
    /** The plan from pixels to features; {@code train} and {@code evaluate} then begin there. */
    static final String PLAN = "prefix";
    private static final int VIEWS = 4;

    private FrozenPrefix() {
    }

    /** Whether there is such a plan: it is asked for, can be, and with {@code auto} the phase sees a view twice. */
    static boolean isOwnPlan(Setup s, Set<String> frozen) {
        TransferOptions t = s.options().transfer();
        boolean asked = t.cacheViews() != null || t.cacheBytes() > 0 && (!t.isCacheAuto() || s.phaseEpochs() > views(s));
        return asked && s.phaseEpochs() > 0 && whyNot(s, frozen).isEmpty();
    }

    /** Variations of each image that are computed. */
    static int views(Setup s) {
        Integer asked = s.options().transfer().cacheViews();
        boolean varies = !s.options().data().augment().equals("none") || s.options().variation().erase() > 0;
        return asked != null ? asked : varies ? VIEWS : 1;
    }

    /** Why what is frozen cannot be computed beforehand; empty where it can. */
    static Optional<String> whyNot(Setup s, Set<String> frozen) {
        VariationOptions v = s.options().variation();
        return Optional.ofNullable(v.mixing().any() ? "--mixup and --cutmix mix images anew in each step"
                : v.augmentRepeats() > 1 ? "--augment-repeats varies images anew within an epoch"
                : s.resolutions().size() > 1 ? "--progressive changes the images' size"
                : s.options().together().ranks() > 1 ? "several ranks share each batch"
                : !hasPrefix(s, frozen) ? "nothing is frozen before all that is trained"
                : null);
    }

    private static boolean hasPrefix(Setup s, Set<String> frozen) {
        Preprocessing p = s.preprocessing();
        return !frozen.isEmpty() && new PlanRequest(PLAN, s.model(1).graph(), p.mean(), p.std(), s.precision(),
                Optional.empty()).hasPrefix(frozen);
    }

    /** What to say of a phase whose network stays one plan although a feature cache was asked for; empty for nothing. */
    static Optional<String> note(Setup s, Set<String> frozen) {
        TransferOptions t = s.options().transfer();
        if (t.cacheBytes() == 0 || frozen.isEmpty() || isOwnPlan(s, frozen)) {
            return Optional.empty();
        }
        return Optional.of("no feature cache: " + whyNot(s, frozen).orElseGet(() -> ("%d epochs see each of %d variations of "
                + "an image at most once").formatted(s.phaseEpochs(), views(s))));
    }
}
