package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Conversion;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Rates;
import io.firn.graph.Shape;
import io.firn.graph.Slicing;
import io.firn.graph.Shortcut;
import io.firn.graph.Type;
import io.firn.oracle.Interpreter;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels of single ops, held to the interpreter. */
class SmallKernelsTest {
    private static final Workers WORKERS = new Workers(2);
    private static final Random RANDOM = new Random(5);

    @AfterAll
    static void close() {
        WORKERS.close();
    }

    private static void check(Op op, Layout layout, double tolerance, Type... types) {
        List<double[]> operands = Arrays.stream(types).map(t -> OpCase.random(t, RANDOM)).toList();
        check(op, layout, tolerance, List.of(types), operands);
    }

    private static void check(Op op, Layout layout, double tolerance, List<Type> types, List<double[]> operands) {
        OpCase.check(op, types, operands, layout, (n, bind) -> SmallKernels.of(n, bind, WORKERS), tolerance);
    }

    @ParameterizedTest
    @EnumSource(Activation.Kind.class)
    void activatesMatrices(Activation.Kind kind) {
        for (int c : new int[] {1, 10, 16, 5000}) {
            Type x = Type.f32(3, c);
            check(new Activation.Forward(kind), Layout.DENSE, 1e-6, x);
            check(new Activation.Grad(kind), Layout.DENSE, 1e-6, x, x);
        }
    }

    @Test
    void dropsTheSameElementsAsTheOracle() {
        for (Drop op : List.of(new Drop.Dropout(0.3, 7), new Drop.DropPath(0.5, 8))) {
            Type x = Type.f32(5, 37);
            check(op, Layout.DENSE, 1e-6, List.of(x, Counter.TYPE),
                    List.of(OpCase.random(x, RANDOM), new double[] {-5, 9, 100, 2, 64, 0, 0, 0}));
        }
    }

    @Test
    void addsUpBiasGradients() {
        check(new Linear.BiasGrad(), Layout.DENSE, 1e-6, Type.f32(33, 10));
    }

    @Test
    void computesTheLossAndItsGradient() {
        for (double smoothing : new double[] {0, 0.1}) {
            Type logits = Type.f32(9, 3);
            Type labels = new Type(DType.I32, Shape.of(9));
            check(new Loss.SoftmaxCrossEntropy(smoothing), Layout.DENSE, 1e-6, logits, labels);
            check(new Loss.SoftmaxCrossEntropyGrad(smoothing), Layout.DENSE, 1e-6, logits, labels);
            List<double[]> padding = List.of(OpCase.random(logits, RANDOM), Collections.nCopies(9, -1).stream()
                    .mapToDouble(i -> i).toArray());
            check(new Loss.SoftmaxCrossEntropy(smoothing), Layout.DENSE, 1e-6, List.of(logits, labels), padding);
            check(new Loss.SoftmaxCrossEntropyGrad(smoothing), Layout.DENSE, 1e-6, List.of(logits, labels), padding);
            List<Type> mixed = List.of(logits, labels, labels, Rates.TYPE);
            List<double[]> operands = List.of(OpCase.random(logits, RANDOM), OpCase.random(labels, RANDOM),
                    OpCase.random(labels, RANDOM), new double[] {0, 0, 0.625, 0, 0, 0, 0, 0});
            check(new Loss.SoftmaxCrossEntropy(smoothing), Layout.DENSE, 1e-6, mixed, operands);
            check(new Loss.SoftmaxCrossEntropyGrad(smoothing), Layout.DENSE, 1e-6, mixed, operands);
        }
    }

    @Test
    void takesTheNormOfAllGradients() {
        for (double most : new double[] {0.5, 1e6}) {
            check(new Clipping.GlobalNorm(most), Layout.DENSE, 1e-6, Type.f32(200_001), Type.f32(3, 5), Type.f32(7));
        }
        double[] broken = OpCase.random(Type.f32(9), RANDOM);
        broken[4] = Double.NaN;
        List<double[]> out = Interpreter.run(new Clipping.GlobalNorm(1), List.of(Type.f32(9)), List.of(broken));
        assertThat(out.getFirst()).containsExactly(0);
        try (var arena = Arena.ofConfined()) {
            Guarded g = new Guarded(arena, Type.f32(9), Layout.DENSE, broken);
            Guarded factor = new Guarded(arena, new Type(DType.F32, Shape.SCALAR), Layout.DENSE);
            Guarded norm = new Guarded(arena, new Type(DType.F32, Shape.SCALAR), Layout.DENSE);
            new ClipKernel(new Clipping.GlobalNorm(1), List.of(g.tensor), factor.tensor, norm.tensor, WORKERS).run();
            assertThat(factor.read()).containsExactly(0);
            assertThat(norm.read()).containsExactly(Double.NaN);
        }
    }

    @Test
    void takesSlices() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                check(new Slicing.Narrow(2, 3), layout, 0, new Type(dtype, Shape.of(6, 22, 7, 5)));
            }
        }
        check(new Slicing.Narrow(0, 1), Layout.NHWC, 0, new Type(DType.U8, Shape.of(2, 3, 7, 5)));
    }

    @Test
    void padsShortcuts() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                for (int stride = 1; stride <= 2; stride++) {
                    check(new Shortcut.Pad(stride, 40), layout, 0, new Type(dtype, Shape.of(2, 22, 7, 5)));
                    check(new Shortcut.PadGrad(stride, 22, 7, 5), layout, 0,
                            new Type(dtype, Shape.of(2, 40, (6 + stride) / stride, (4 + stride) / stride)));
                }
            }
        }
    }

    @Test
    void normalisesPixels() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (Layout layout : List.of(Layout.NHWC, Layout.BLOCKED16)) {
                check(new Conversion.Normalize(List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225), dtype), layout,
                        1e-6, new Type(DType.U8, Shape.of(2, 3, 5, 9)));
                check(new Conversion.Normalize(List.of(0.1307), List.of(0.3081), dtype), layout, 1e-6,
                        new Type(DType.U8, Shape.of(3, 1, 4, 7)));
            }
        }
    }

    @Test
    void foldsWeights() {
        for (Shape shape : List.of(Shape.of(5, 3, 3, 3), Shape.of(16, 1, 7, 7), Shape.of(64, 300))) {
            check(new Normalization.FoldWeight(), Layout.DENSE, 1e-6, new Type(DType.F32, shape), Type.f32(shape.dim(0)));
        }
    }

    @Test
    void makesTheAffineFormOfABatchNorm() {
        Type v = Type.f32(21);
        List<double[]> operands = List.of(OpCase.random(v, RANDOM), OpCase.random(v, RANDOM), OpCase.random(v, RANDOM),
                RANDOM.doubles(21).map(x -> (float) (x + 0.1)).toArray());
        check(new Normalization.Affine(1e-3), Layout.DENSE, 1e-6, Collections.nCopies(4, v), operands);
    }
}
