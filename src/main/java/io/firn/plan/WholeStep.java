package io.firn.plan;

import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * What a step of the optimizer runs: a plan; or one for each of several batches, and then one that applies their mean
 * gradient.
 *
 * @param plan  takes images
 * @param times it runs in a step
 * @param apply runs once, after it; empty where the plan itself updates
 */
public record WholeStep(Plan plan, int times, Optional<Plan> apply) {

    public WholeStep {
        if (times < 1 || times > 1 && apply.isEmpty()) {
            throw new IllegalArgumentException("%d times %s, then %s".formatted(times, plan.name(), apply.map(Plan::name)));
        }
    }

    /** A step that is one plan. */
    public static WholeStep of(Plan plan) {
        return new WholeStep(plan, 1, Optional.empty());
    }

    /** The same step in another program. */
    WholeStep in(Program other) {
        return new WholeStep(other.plan(plan.name()), times, apply.map(a -> other.plan(a.name())));
    }

    /** Each plan once, in the order in which they run. */
    public List<Plan> plans() {
        return Stream.concat(Stream.of(plan), apply.stream()).toList();
    }

    /** How often a step runs one of its plans. */
    public int times(Plan p) {
        return p == plan ? times : 1;
    }

    /** Images that it takes. */
    public int images() {
        return times * plan.batch();
    }

    public long flops() {
        return times * plan.flops() + apply.map(Plan::flops).orElse(0L);
    }

    public long bytes() {
        return times * plan.bytes() + apply.map(Plan::bytes).orElse(0L);
    }

    public double predictedMs() {
        return sum(Plan::predictedMs);
    }

    /** What is so much of each plan, of the whole step. */
    public double sum(ToDoubleFunction<Plan> of) {
        return plans().stream().mapToDouble(p -> times(p) * of.applyAsDouble(p)).sum();
    }
}
