package io.firn.oracle;

import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Operands for tests: repeatable random tensors, and ops applied to them. */
final class Samples {
    private Samples() {
    }

    /** Normally distributed elements. */
    static double[] normal(Shape shape, long seed) {
        Random random = new Random(seed);
        return random.doubles(shape.elements(), 0, 1).map(u -> random.nextGaussian()).toArray();
    }

    /** Normally distributed operands of one op, in f32 types. */
    static List<Array> normal(Shape... shapes) {
        List<Array> operands = new ArrayList<>();
        for (Shape s : shapes) {
            operands.add(array(normal(s, 17 + operands.size()), s.toArray()));
        }
        return operands;
    }

    static Array array(double[] data, int... dims) {
        return new Array(Type.f32(dims), data);
    }

    static List<double[]> run(Op op, List<Array> in) {
        return Interpreter.run(op, in.stream().map(Array::type).toList(), in.stream().map(Array::data).toList());
    }

    static List<double[]> run(Op op, Array... in) {
        return run(op, List.of(in));
    }
}
