package io.firn.backend.cpu;

import io.firn.graph.DType;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Phase;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.IntStream;

/** One op with random operands: a kernel's results held to the interpreter's, element by element. */
final class OpCase {
    private OpCase() {
    }

    /** Elements of an operand, rounded to its type. */
    static double[] random(Type type, Random random) {
        return IntStream.range(0, (int) type.shape().elements()).mapToDouble(i -> switch (type.dtype()) {
            case U8 -> random.nextInt(256);
            case I32 -> random.nextInt(4) - 1;
            default -> type.dtype().round(random.nextGaussian());
        }).toArray();
    }

    /**
     * @param layout of activations; all else is dense
     * @param kernel makes the launch of a node
     * @param tolerance relative to the largest result and 1
     */
    static void check(Op op, List<Type> types, List<double[]> operands, Layout layout,
                      BiFunction<Node, Function<Value, Tensor>, Runnable> kernel, double tolerance) {
        List<Value> in = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            in.add(new Value(i, "in" + i, types.get(i)));
        }
        List<Type> results = op.infer(types);
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < results.size(); i++) {
            out.add(new Value(in.size() + i, "out" + i, results.get(i)));
        }
        List<double[]> expected = Interpreter.run(op, types, operands);
        try (Arena arena = Arena.ofConfined()) {
            Map<Value, Guarded> memory = new HashMap<>();
            in.forEach(v -> memory.put(v, new Guarded(arena, v.type(), layout(v, layout), operands.get(v.id()))));
            out.forEach(v -> memory.put(v, new Guarded(arena, v.type(), layout(v, layout))));
            kernel.apply(new Node("n", Phase.FORWARD, op, in, out), v -> memory.get(v).tensor).run();
            memory.values().forEach(Guarded::check);
            for (int i = 0; i < out.size(); i++) {
                double rounding = out.get(i).dtype() == DType.BF16 ? 4e-3 : 0;
                compare(op + " " + types + " " + layout.label(), memory.get(out.get(i)).read(), expected.get(i),
                        Math.max(tolerance, rounding));
            }
        }
    }

    private static Layout layout(Value v, Layout activations) {
        return v.shape().rank() != 4 || activations.equals(Layout.DENSE) ? Layout.DENSE
                : v.dtype() == DType.U8 ? Layout.NHWC : activations;
    }

    static void compare(String what, double[] actual, double[] expected, double tolerance) {
        double size = IntStream.range(0, expected.length).mapToDouble(i -> Math.abs(expected[i])).max().orElse(0);
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(actual[i] - expected[i]) <= tolerance * Math.max(size, 1))) {
                throw new AssertionError("%s: element %d is %s, not %s".formatted(what, i, actual[i], expected[i]));
            }
        }
    }
}
