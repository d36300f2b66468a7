package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Gate;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** A subgraph with random inputs: run as one launch and held to the interpreter, node by node in double precision. */
final class FusedCase {
    final GraphBuilder b = new GraphBuilder();
    final Map<Value, Value> inPlace = new LinkedHashMap<>();
    private final Layout layout;
    private final Random random;
    private final Map<Value, double[]> values = new HashMap<>();

    FusedCase(Layout layout, long seed) {
        this.layout = layout;
        random = new Random(seed);
    }

    /** Normally distributed around {@code mean}. */
    Value input(Type type, double mean, double deviation) {
        Value v = b.input("input" + values.size(), type);
        double[] x = new double[(int) type.shape().elements()];
        for (int i = 0; i < x.length; i++) {
            x[i] = type.dtype().round(mean + deviation * random.nextGaussian());
        }
        values.put(v, x);
        return v;
    }

    /** Positive: variances, gates. */
    Value positive(Type type) {
        Value v = input(type, 0, 1);
        double[] x = values.get(v);
        for (int i = 0; i < x.length; i++) {
            x[i] = type.dtype().round(0.5 + Math.abs(x[i]));
        }
        return v;
    }

    Value counter() {
        Value v = b.input("counter" + values.size(), Counter.TYPE);
        values.put(v, new double[] {7, 3, 11, 1, 40, 0, 0, 0});
        return v;
    }

    /** Runs the launch and checks the given results; returns its number of passes. */
    int check(Workers workers, Set<Value> outputs) {
        Graph g = b.build();
        List<Node> nodes = g.nodes();
        assertThat(FusedKernel.supports(nodes)).isTrue();
        try (Arena arena = Arena.ofConfined()) {
            Map<Value, Guarded> memory = new HashMap<>();
            values.forEach((v, x) -> memory.put(v, new Guarded(arena, v.type(), layout(v), x)));
            for (Value v : outputs) {
                memory.put(v, inPlace.containsKey(v) ? memory.get(inPlace.get(v)) : new Guarded(arena, v.type(), layout(v)));
            }
            FusedKernel kernel = FusedKernel.compile(nodes, v -> memory.get(v).tensor, outputs, workers);
            kernel.run();
            Map<Value, double[]> expected = new HashMap<>(values);
            Map<Value, Double> sizes = new HashMap<>();
            nodes.forEach(n -> interpret(n, expected, sizes));
            memory.values().forEach(Guarded::check);
            boolean half = memory.values().stream().anyMatch(m -> m.tensor.type().dtype() == DType.BF16);
            for (Value v : outputs) {
                compare(v, memory.get(v).read(), expected.get(v), sizes.get(v), half ? 1e-2 : 3e-6);
            }
            return kernel.passCount();
        }
    }

    private Layout layout(Value v) {
        return v.shape().rank() == 4 ? layout : Layout.DENSE;
    }

    /** Also the size of what went into each value, to which errors are compared. */
    private static void interpret(Node n, Map<Value, double[]> values, Map<Value, Double> sizes) {
        List<double[]> in = n.inputs().stream().map(values::get).toList();
        List<double[]> out = Interpreter.run(n.op(), n.inputTypes(), in);
        double carried = n.inputs().stream().filter(v -> v.shape().rank() == 4)
                .mapToDouble(v -> sizes.getOrDefault(v, largest(values.get(v)))).max().orElse(0);
        double factor = 1;
        for (Value v : n.inputs()) {
            factor *= v.shape().rank() < 4 && v.dtype() == DType.F32 ? Math.max(1, largest(values.get(v))) : 1;
        }
        double area = n.op() instanceof Normalization.Statistics || n.op() instanceof Normalization.GradSums
                ? n.input(0).shape().n() * n.input(0).shape().area()
                : n.op() instanceof Gate.ScaleGrad ? n.input(0).shape().area() : 1;
        for (int i = 0; i < out.size(); i++) {
            values.put(n.outputs().get(i), out.get(i));
            double square = area > 1 && n.inputs().size() < 3 ? carried * carried * area : carried * area;
            double size = n.op() instanceof Normalization.GradApply ? carried * 4 : n.op() instanceof Normalization.Finalise
                    ? 0 : n.op() instanceof Normalization.Apply ? carried * factor : Math.max(carried, square);
            sizes.put(n.outputs().get(i), Math.max(size, largest(out.get(i))));
        }
    }

    private static double largest(double[] x) {
        double most = 0;
        for (double v : x) {
            most = Math.max(most, Math.abs(v));
        }
        return most;
    }

    private static void compare(Value v, double[] actual, double[] expected, double size, double tolerance) {
        for (int i = 0; i < expected.length; i++) {
            double error = Math.abs(actual[i] - expected[i]);
            if (!(error <= tolerance * (Math.abs(expected[i]) + size + 0.01))) {
                throw new AssertionError("%s[%d] is %s, not %s; size %s".formatted(v, i, actual[i], expected[i], size));
            }
        }
    }
}
