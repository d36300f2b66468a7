package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.plan.Plan;
import io.firn.plan.Precision;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Holds a whole step to the oracle in double precision: a training's loss, an evaluation's logits. What each launch gets
 * wrong adds up here, so tolerances are wide; what it shows are launches in a wrong order or on wrong buffers.
 */
final class FirstStep {
    private FirstStep() {
    }

    /** Steps once with the states and inputs that the session has. */
    static SelftestReport.StepCheck check(Session session, Plan plan, String model, Consumer<String> failed) {
        String what = plan.name().equals(Plans.TRAIN) ? "loss" : "logits";
        Graph g = plan.graph().prune(Set.of(what), List.of());
        Map<String, double[]> given = given(session, plan, g);
        session.step(plan);
        float[] got = new float[Math.toIntExact(plan.graph().output(what).shape().elements())];
        session.output(plan, what, got);
        double[] want = GraphOracle.evaluate(g, given).output(what);
        double size = 0;
        double off = 0;
        for (int i = 0; i < want.length; i++) {
            size = Math.max(size, Math.abs(want[i]));
            // NaN must not be lost in a maximum of comparisons.
            off = Math.max(off, Math.abs(got[i] - want[i]));
        }
        var result = new SelftestReport.StepCheck(model, plan.precision().label(), what, off / size,
                plan.precision() == Precision.FP32 ? 1e-4 : 5e-2);
        if (!(result.error() <= result.tolerance())) {
            failed.accept(String.format(Locale.ROOT, "%s %s: the %s of a whole step are off by %.2e, allowed %.0e", model,
                    result.precision(), what, result.error(), result.tolerance()));
        }
        return result;
    }

    private static Map<String, double[]> given(Session session, Plan plan, Graph g) {
        Map<String, double[]> given = new HashMap<>();
        for (State s : g.states()) {
            float[] data = new float[Math.toIntExact(s.value().shape().elements())];
            session.readState(s.name(), data);
            double[] exact = new double[data.length];
            for (int i = 0; i < data.length; i++) {
                exact[i] = data[i];
            }
            given.put(s.name(), exact);
        }
        for (Value v : g.inputs()) {
            given.put(v.name(), input(session.input(plan, v.name()), v));
        }
        return given;
    }

    /** Pixels lie as [N,H,W,C]; the oracle has them in logical order. */
    private static double[] input(MemorySegment from, Value v) {
        double[] data = new double[Math.toIntExact(v.shape().elements())];
        for (int i = 0; i < data.length; i++) {
            data[i] = switch (v.dtype()) {
                case U8 -> {
                    int area = v.shape().area();
                    int c = v.shape().c();
                    long image = i / area / c;
                    yield from.get(ValueLayout.JAVA_BYTE, (image * area + i % area) * c + i / area % c) & 0xFF;
                }
                case I32 -> from.getAtIndex(ValueLayout.JAVA_INT, i);
                case F32 -> from.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                case BF16, F16 -> throw new IllegalArgumentException(DType.BF16 + " is no type of an input");
            };
        }
        return data;
    }
}
