package io.firn.backend.cpu;

import io.firn.backend.Backend;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.TuningTable;
import java.util.TreeMap;

/** Tuning tables that no measurement made: for tests of what measuring may choose. */
public final class WinogradTables {
    private WinogradTables() {
    }

    /** Every convolution of these plans that can be computed by Winograd's algorithm is. */
    public static TuningTable everywhere(Backend backend, PlanRequest... requests) {
        TreeMap<String, String> choices = new TreeMap<>();
        for (Plan plan : new Planner(backend.target(), backend.kernels(TuningTable.EMPTY)).plan(requests).plans()) {
            for (Launch l : plan.launches()) {
                Product.of(l.subgraph().nodes(), plan.activations()).filter(p -> Winograd.of(p).isPresent())
                        .ifPresent(p -> choices.put(p.key(), Winograd.NAME));
            }
        }
        return new TuningTable(choices);
    }
}
