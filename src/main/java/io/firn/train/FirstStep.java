package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.plan.Plan;
import io.firn.plan.Precision;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Holds a whole step to the oracle in double precision: a training's loss and gradients, an evaluation's logits. What each
 * launch gets wrong adds up here, and batch norm over the few pixels of a small test amplifies it, so tolerances are wide,
 * those of training above all; what it shows are launches in a wrong order or on wrong buffers.
 */
final class FirstStep {
    /** A gradient that is none of the net's is off by its whole length. */
    private static final double MOST = 0.5;
    /** Rounding that launches do within, beside that of what they store. */
    private static final double ROUNDING = 4;

    private FirstStep() {
    }

    /** Steps once with the states and inputs that the session has. */
    static List<SelftestReport.StepCheck> check(Session session, Plan plan, String model, Consumer<String> failed) {
        boolean training = plan.graph().outputs().containsKey("loss") && !plan.graph().updates().isEmpty();
        boolean fp32 = plan.precision() == Precision.FP32;
        String what = training ? "loss" : "logits";
        // The whole graph where gradients are wanted.
        Graph g = training && plan.precision().activation() == DType.F32 ? plan.graph()
                : plan.graph().prune(Set.of(what), List.of());
        Map<String, double[]> given = given(session, plan, g);
        session.step(plan);
        float[] got = new float[Math.toIntExact(plan.graph().output(what).type().shape().elements())];
        session.output(plan, what, got);
        GraphOracle.Evaluation exact = GraphOracle.evaluate(g, given);
        double[] want = exact.output(what);
        // A loss may be 0.
        double size = training ? 1 : 0;
        double off = 0;
        for (int i = 0; i < want.length; i++) {
            size = Math.max(size, Math.abs(want[i]));
            off = Math.max(off, Math.abs(got[i] - want[i]));
        }
        List<SelftestReport.StepCheck> checks = new ArrayList<>();
        checks.add(new SelftestReport.StepCheck(model, plan.precision().label(), what, off / size,
                training ? fp32 ? 2e-2 : 0.5 : fp32 ? 1e-4 : 5e-2));
        // In 16 bits rounding alone turns the gradients of such small nets around.
        if (training && plan.precision().activation() == DType.F32) {
            double error = difference(plan, exact, kept(session));
            checks.add(new SelftestReport.StepCheck(model, plan.precision().label(), "gradients", error,
                    fp32 ? allowed(error, plan, exact, given) : MOST));
        }
        checks.stream().filter(c -> !(c.error() <= c.tolerance())).forEach(c -> failed.accept(String.format(Locale.ROOT,
                "%s %s: %s of a whole step: off by %.2e, allowed %.0e", model, c.precision(), c.what(), c.error(), c.tolerance())));
        return checks;
    }

    /** In deep nets without shortcuts rounding what is stored turns gradients by a tenth: there more is allowed. */
    private static double allowed(double error, Plan plan, GraphOracle.Evaluation exact, Map<String, double[]> given) {
        double usual = 5e-2;
        if (error <= usual) {
            return usual;
        }
        GraphOracle.Evaluation rounded = GraphOracle.evaluate(exact.graph(), given, GraphOracle.Precision.STORED);
        return Math.clamp(ROUNDING * difference(plan, exact, n -> rounded.value(n.outputs().get(1))), usual, MOST);
    }

    private static Function<Node, double[]> kept(Session session) {
        return n -> {
            float[] got = new float[Math.toIntExact(n.outputs().get(1).shape().elements())];
            session.readState(n.input(2).name(), got);
            return IntStream.range(0, got.length).mapToDouble(i -> got[i]).toArray();
        };
    }

    /**
     * Length of the difference between what the optimizer keeps of all gradients after its first step (their share of the
     * momentum, or of the mean squares) and what it should, as a share of the latter's: gradients themselves are not there
     * any more.
     *
     * @param kept by the optimizer's steps
     */
    private static double difference(Plan plan, GraphOracle.Evaluation exact, Function<Node, double[]> kept) {
        double difference = 0;
        double size = 0;
        for (Node n : plan.graph().nodes()) {
            if (n.op() instanceof Update.Step step) {
                Op.check(!step.slots().isEmpty(), "%s keeps nothing of a gradient", n.name());
                double[] want = exact.value(n.outputs().get(1));
                double[] got = kept.apply(n);
                for (int i = 0; i < want.length; i++) {
                    difference += (got[i] - want[i]) * (got[i] - want[i]);
                    size += want[i] * want[i];
                }
            }
        }
        return difference == 0 ? 0 : Math.sqrt(difference / size);
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
