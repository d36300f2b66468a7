package io.firn.train;

import io.firn.backend.Session;
import io.firn.graph.DType;
import io.firn.graph.Node;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.stream.Stream;

/**
 * Holds every launch of a plan to the oracle, each from the device's own inputs: deep nets amplify rounding from end to
 * end, a single launch must be within its local tolerance. The device runs on, while other threads compute what it should
 * have come to.
 */
final class LaunchCheck {
    private final Session session;
    private final Plan plan;
    private final String model;
    private final Semaphore waiting;

    /** What a launch read and wrote, as the device has it. Floats hold all but integers exactly, in half the memory. */
    private record Operand(float[] floats, double[] integers) {
        static Operand of(Value v, double[] data) {
            if (v.dtype() == DType.I32) {
                return new Operand(null, data);
            }
            float[] floats = new float[data.length];
            for (int i = 0; i < data.length; i++) {
                floats[i] = (float) data[i];
            }
            return new Operand(floats, null);
        }

        double[] data() {
            if (integers != null) {
                return integers;
            }
            double[] data = new double[floats.length];
            for (int i = 0; i < data.length; i++) {
                data[i] = floats[i];
            }
            return data;
        }
    }

    /** @param model name under which findings are reported */
    LaunchCheck(Session session, Plan plan, String model, int threads) {
        this.session = session;
        this.plan = plan;
        this.model = model;
        waiting = new Semaphore(threads + 1);
    }

    /** Runs what is prepared and then the step, launch by launch. The inputs must be filled. */
    List<SelftestReport.Checked> run(int threads) {
        List<Future<SelftestReport.Checked>> checks = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (Launch l : Stream.concat(plan.prepare().stream(), plan.launches().stream()).toList()) {
                waiting.acquireUninterruptibly();
                Map<Value, Operand> operands = new HashMap<>();
                read(l, false, operands);
                session.run(plan, l);
                // A result may lie where an operand was.
                Map<Value, Operand> results = new HashMap<>();
                read(l, true, results);
                checks.add(pool.submit(() -> {
                    try {
                        return check(l, operands, results);
                    } finally {
                        waiting.release();
                    }
                }));
            }
            List<SelftestReport.Checked> checked = new ArrayList<>();
            for (Future<SelftestReport.Checked> f : checks) {
                checked.add(f.get());
            }
            return checked;
        } catch (ExecutionException e) {
            throw new IllegalStateException("the oracle failed on " + model, e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void read(Launch l, boolean output, Map<Value, Operand> to) {
        List<Value> values = output ? l.subgraph().outputs() : l.subgraph().inputs();
        for (int i = 0; i < values.size(); i++) {
            to.put(values.get(i), Operand.of(values.get(i), session.read(plan, l, output, i)));
        }
    }

    private SelftestReport.Checked check(Launch l, Map<Value, Operand> operands, Map<Value, Operand> results) {
        Tolerance tolerance = tolerance(l);
        double worst = -1;
        String where = "";
        for (Subgraph part : parts(l.subgraph())) {
            Map<Value, double[]> exact = new HashMap<>();
            part.inputs().forEach(v -> exact.put(v, operands.get(v).data()));
            Map<Value, double[]> magnitudes = Magnitudes.of(part.nodes(), Map.copyOf(exact), tolerance);
            GraphOracle.run(part.nodes(), exact, GraphOracle.Precision.EXACT);
            for (Value v : part.outputs()) {
                double[] got = results.get(v).data();
                double error = Tolerance.error(got, exact.get(v), magnitudes.get(v));
                if (error > worst) {
                    worst = error;
                    where = describe(v, got, exact.get(v), magnitudes.get(v));
                }
            }
        }
        return new SelftestReport.Checked(model, plan.precision().label(), plan.name(), l.name(), l.op(),
                l.kernel().toString(), shapes(l), worst, tolerance.share(), where);
    }

    /** That of the least exact type that anything is read, written or passed on in; products may be rounded to tf32. */
    private Tolerance tolerance(Launch l) {
        Tolerance t = plan.precision() == Precision.TF32 && l.flops() > 0 ? Tolerance.TF32 : Tolerance.FP32;
        for (Node n : l.subgraph().nodes()) {
            for (Value v : (Iterable<Value>) Stream.concat(n.inputs().stream(), n.outputs().stream())::iterator) {
                t = Tolerance.of(v.dtype()).share() > t.share() ? Tolerance.of(v.dtype()) : t;
            }
        }
        return t;
    }

    /** An optimizer's launch has nodes for each parameter, which have nothing to do with each other: one at a time. */
    private static List<Subgraph> parts(Subgraph s) {
        if (!s.nodes().stream().allMatch(n -> n.op() instanceof Update)) {
            return List.of(s);
        }
        List<List<Node>> parts = new ArrayList<>();
        Map<Value, List<Node>> writers = new HashMap<>();
        for (Node n : s.nodes()) {
            // A moving average goes with the step whose result it takes.
            List<Node> part = n.inputs().stream().map(writers::get).filter(Objects::nonNull).findFirst().orElseGet(() -> {
                parts.add(new ArrayList<>());
                return parts.getLast();
            });
            part.add(n);
            n.outputs().forEach(v -> writers.put(v, part));
        }
        return parts.stream().map(part -> Subgraph.of(part, s.outputs()::contains)).toList();
    }

    private static String describe(Value v, double[] got, double[] exact, double[] magnitude) {
        int at = Tolerance.worst(got, exact, magnitude);
        return at < 0 ? "" : "%s [%d]: %.9g instead of %.9g, magnitude %.3g".formatted(v, at, got[at], exact[at],
                magnitude[at]);
    }

    private static List<String> shapes(Launch l) {
        Node n = l.subgraph().anchor();
        return Stream.concat(n.inputTypes().stream(), n.outputTypes().stream()).map(Object::toString).toList();
    }
}
