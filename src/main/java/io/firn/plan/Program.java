package io.firn.plan;

import java.util.List;

/** A few plans over one state arena, keyed by names, and one scratch arena as large as the largest needs. */
public record Program(List<Plan> plans, StateLayout state) {

    public Program {
        plans = List.copyOf(plans);
    }

    public long scratchBytes() {
        return plans.stream().mapToLong(Plan::scratch).max().orElse(0);
    }

    public long bytes() {
        return state.bytes() + scratchBytes();
    }

    public Plan plan(String name) {
        return plans.stream().filter(p -> p.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no plan is named " + name));
    }
}
