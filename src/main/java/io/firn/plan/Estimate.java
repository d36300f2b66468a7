package io.firn.plan;

/**
 * Predicts a launch's time by the roofline (Williams et al. 2009): the larger of its arithmetic and its memory traffic,
 * at the target's rates for large operands, plus the fixed cost of a launch.
 */
record Estimate(Target target, Precision precision) {

    double milliseconds(long flops, long bytes) {
        return 1e3 * (Math.max(flops / target.flops(precision), bytes / target.bandwidth()) + target.launchSeconds());
    }
}
