package io.firn.train;

import java.util.List;

/**
 * The learning rate at every step: a pure function, so that a resumed run needs no state for it. It changes from step to
 * step, not from epoch to epoch.
 *
 * <p>Warm-up is linear, (t + 1) / (w + 1) of the base rate at step t of w: PyTorch's
 * {@code LinearLR(start_factor=1/(w+1), total_iters=w)}, stepped after each batch. Then, with t counted from its end:
 * <ul>
 * <li>{@code CONSTANT}: the base rate;
 * <li>{@code COSINE}: base · (1 + cos(π t / T)) / 2, as {@code CosineAnnealingLR(T_max=T)} has it, where T is the steps
 * after warm-up (Loshchilov and Hutter 2017, arXiv 1608.03983);
 * <li>{@code STEP}: base · γ^(milestones passed), as {@code MultiStepLR}; milestones are counted from the run's start.
 * </ul>
 *
 * @param kind        the curve after warm-up
 * @param base        the rate that warm-up leads to
 * @param warmupSteps steps of warm-up; may be 0
 * @param totalSteps  steps of the whole run, at least 1; later steps keep the last rate
 * @param milestones  the first step of each lower rate, ascending
 * @param gamma       factor at each milestone
 */
public record Schedule(Kind kind, double base, long warmupSteps, long totalSteps, List<Long> milestones, double gamma) {

    /** The curve that the rate follows after warm-up. */
    public enum Kind { CONSTANT, COSINE, STEP }

    public Schedule {
        if (totalSteps < 1 || warmupSteps < 0) {
            throw new IllegalArgumentException("%d of %d steps are warm-up".formatted(warmupSteps, totalSteps));
        }
        milestones = List.copyOf(milestones);
    }

    /** The schedule of a recipe for epochs of that many steps. */
    public static Schedule of(Recipe recipe, long stepsPerEpoch) {
        return new Schedule(recipe.schedule(), recipe.lr(), Math.round(recipe.warmupEpochs() * stepsPerEpoch),
                recipe.scheduledSteps(stepsPerEpoch),
                recipe.milestones().stream().map(e -> Math.round(e * stepsPerEpoch)).toList(), recipe.gamma());
    }

    /** The rate of a step; the first is 0. */
    public double rate(long step) {
        if (step < warmupSteps) {
            return base * (step + 1) / (warmupSteps + 1);
        }
        return switch (kind) {
            case CONSTANT -> base;
            case COSINE -> {
                long span = Math.max(1, totalSteps - warmupSteps);
                double t = (double) Math.min(step - warmupSteps, span - 1) / span;
                yield base * (1 + Math.cos(Math.PI * t)) / 2;
            }
            case STEP -> base * Math.pow(gamma, milestones.stream().filter(m -> m <= step).count());
        };
    }
}
