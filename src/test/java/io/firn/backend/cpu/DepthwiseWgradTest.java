package io.firn.backend.cpu;

import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The depthwise weight gradient in every kernel size, stride, layout and type, at odd extents and over several bands. */
class DepthwiseWgradTest {
    private static final List<Shape> SHAPES = List.of(Shape.of(2, 3, 7, 5), Shape.of(1, 8, 9, 9), Shape.of(5, 24, 5, 8),
            Shape.of(2, 16, 3, 3), Shape.of(1, 40, 61, 43), Shape.of(2, 96, 1, 4));

    @ParameterizedTest
    @ValueSource(ints = {3, 5, 7})
    void equalsTheInterpreter(int kernel) {
        for (Shape shape : SHAPES) {
            for (int stride = 1; stride <= 2; stride++) {
                for (DType dtype : List.of(DType.F32, DType.BF16)) {
                    for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                        for (int threads = 1; threads <= 2; threads++) {
                            check(shape, kernel, stride, dtype, layout, threads);
                        }
                    }
                }
            }
        }
    }

    private static void check(Shape shape, int kernel, int stride, DType dtype, Layout layout, int threads) {
        Convolution.Wgrad op = new Convolution.Wgrad(stride, kernel / 2, shape.c(), kernel);
        Type x = new Type(dtype, shape);
        Type dy = new Type(dtype, Shape.of(shape.n(), shape.c(), (shape.h() - 1) / stride + 1, (shape.w() - 1) / stride + 1));
        Random random = new Random(kernel);
        List<double[]> operands = List.of(OpCase.random(x, random), OpCase.random(dy, random));
        // The gradient [C,1,K,K] is no activation: it is dense.
        try (Workers workers = new Workers(threads); Arena arena = Arena.ofConfined()) {
            Guarded gx = new Guarded(arena, x, layout, operands.get(0));
            Guarded gdy = new Guarded(arena, dy, layout, operands.get(1));
            Type dw = op.infer(List.of(x, dy)).getFirst();
            Guarded result = new Guarded(arena, dw, Layout.DENSE);
            new DepthwiseWgrad(op, gx.tensor, gdy.tensor, result.tensor, workers).run();
            gx.check();
            gdy.check();
            OpCase.compare("%s %s %s".formatted(op, x, layout), result.read(),
                    Interpreter.run(op, List.of(x, dy), operands).getFirst(), 2e-6);
        }
    }
}
