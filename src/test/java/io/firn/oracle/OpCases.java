package io.firn.oracle;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Type;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;

/** Small cases of every op; a test fails where an op has none. */
public final class OpCases {
    private static final List<Integer> NONE = List.of();
    private static final List<Integer> X = List.of(0);
    private static final List<Integer> BOTH = List.of(0, 1);
    private static final List<Integer> THREE = List.of(0, 1, 2);
    private static final Array COUNTER = new Array(Counter.TYPE, new double[] {5, -6, 3, 1, 2, 0, 0, 0});
    private static final Random RANDOM = new Random(11);
    private static final Array RATES = new Array(Rates.TYPE, new double[] {0.125, 3, 0.75, 1, 0, 0, 0, 0});
    private static final List<OpCase> ALL = Stream.of(convolutions(), normalizations(), pointwise(), pooling(), ends(),
            updates(), collectives()).flatMap(List::stream).toList();

    private OpCases() {
    }

    /** The same cases with the same operands whenever it is called. */
    public static List<OpCase> all() {
        return ALL;
    }

    private static List<OpCase> convolutions() {
        return List.of(of(new Convolution.Forward(1, 1, 1), BOTH, normal(2, 3, 6, 5), normal(4, 3, 3, 3)),
                of(new Convolution.Forward(2, 3, 1), BOTH, normal(2, 3, 9, 9), normal(4, 3, 7, 7)),
                of(new Convolution.Forward(2, 0, 1), BOTH, normal(2, 4, 7, 6), normal(6, 4, 1, 1)),
                of(new Convolution.Forward(1, 1, 2), BOTH, normal(2, 4, 5, 5), normal(6, 2, 3, 3)),
                of(new Convolution.Forward(2, 2, 4), BOTH, normal(2, 4, 7, 8), normal(4, 1, 5, 5)),
                of(new Convolution.Forward(1, 1, 1), NONE, normal(2, 3, 6, 5), normal(4, 3, 3, 3), normal(4)),
                of(new Convolution.Dgrad(2, 1, 2, 7, 6), NONE, normal(2, 6, 4, 3), normal(6, 2, 3, 3)),
                of(new Convolution.Wgrad(2, 1, 2, 3), NONE, normal(2, 4, 7, 6), normal(2, 6, 4, 3)));
    }

    private static List<OpCase> normalizations() {
        Array x = normal(4, 3, 5, 2);
        Array dy = normal(4, 3, 5, 2);
        Array weight = normal(3);
        Array bias = normal(3);
        Array mean = normal(3);
        Array variance = positive(3);
        Array sum = map(normal(3), v -> 40 * v);
        Array squares = map(positive(3), v -> 400 * v);
        return List.of(
                of(new Normalization.BatchNorm(1e-3, 0.1), THREE, x, weight, bias, mean, variance),
                of(new Normalization.Statistics(), NONE, x),
                of(new Normalization.Finalise(1e-3, 0.1, 40), NONE, sum, squares, weight, bias, mean, variance),
                of(new Normalization.Affine(1e-3), NONE, weight, bias, mean, variance),
                of(new Normalization.Apply(), X, x, weight, bias), of(new Normalization.Apply(), X, x, weight),
                of(new Normalization.GradSums(), NONE, dy, x, mean, variance),
                of(new Normalization.GradApply(40), NONE, dy, x, weight, mean, variance, sum, sum),
                of(new Normalization.FoldWeight(), NONE, normal(3, 2, 3, 3), weight));
    }

    private static List<OpCase> pointwise() {
        List<OpCase> cases = new ArrayList<>();
        for (Activation.Kind kind : Activation.Kind.values()) {
            Op forward = new Activation.Forward(kind);
            Array x = normal(2, 3, 4, 5);
            Array y = map(new Array(x.type(), Samples.run(forward, x).getFirst()), v -> v);
            cases.add(of(forward, X, x));
            cases.add(of(new Activation.Grad(kind), NONE, normal(2, 3, 4, 5), kind.gradFromOutput() ? y : x));
        }
        Array pixels = new Array(new Type(DType.U8, Shape.of(2, 3, 2, 2)),
                map(normal(24), v -> Math.floor(40 * Math.abs(v))).data());
        cases.addAll(List.of(
                of(new Conversion.Normalize(List.of(0.4, 0.5, 0.6), List.of(0.2, 0.3, 0.4), DType.F32), NONE, pixels),
                of(new Conversion.Cast(DType.BF16), X, normal(2, 7)),
                of(new Elementwise.Add(), BOTH, normal(2, 3, 4, 5), normal(2, 3, 4, 5)),
                of(new Gate.Scale(), BOTH, normal(2, 3, 4, 5), normal(2, 3)),
                of(new Gate.ScaleGrad(), NONE, normal(2, 3, 4, 5), normal(2, 3, 4, 5)),
                of(new Drop.Dropout(0.25, 1), X, normal(4, 9), COUNTER),
                of(new Drop.DropPath(0.5, 2), X, normal(6, 3, 2, 2), COUNTER)));
        return cases;
    }

    private static List<OpCase> pooling() {
        Array x = normal(2, 3, 7, 8);
        Op pool = new Pooling.Max(3, 2, 1);
        List<double[]> pooled = Samples.run(pool, x);
        Array index = new Array(new Type(DType.U8, Shape.of(2, 3, 4, 4)), pooled.get(1));
        return List.of(of(pool, X, x), of(new Pooling.Max(2, 2, 0), X, x),
                of(new Pooling.MaxGrad(3, 2, 1, 7, 8), NONE, normal(2, 3, 4, 4), index),
                of(new Pooling.GlobalAverage(), X, x),
                of(new Pooling.GlobalAverageGrad(x.type()), NONE, normal(2, 3)),
                of(new Shortcut.Pad(2, 7), X, x), of(new Shortcut.Pad(1, 3), X, x),
                of(new Shortcut.PadGrad(2, 3, 7, 8), NONE, normal(2, 7, 4, 4)),
                of(new Slicing.Narrow(1, 1), NONE, x), of(new Slicing.Cat(), NONE, normal(1, 3, 2, 2), normal(2, 3, 2, 2)));
    }

    private static List<OpCase> ends() {
        Array logits = normal(5, 7);
        Array labels = new Array(new Type(DType.I32, Shape.of(5)), new double[] {3, 0, -1, 6, 2});
        Array partners = new Array(labels.type(), new double[] {2, 3, 0, 6, -1});
        return List.of(of(new Linear.Forward(), THREE, normal(3, 5), normal(7, 5), normal(7)),
                of(new Linear.Forward(), THREE, normal(3, 5), normal(7, 5, 1, 1), normal(7)),
                of(new Linear.Dgrad(), NONE, normal(3, 7), normal(7, 5)),
                of(new Linear.Wgrad(Shape.of(7, 5)), NONE, normal(3, 5), normal(3, 7)),
                of(new Linear.BiasGrad(), NONE, normal(3, 7)),
                of(new Loss.SoftmaxCrossEntropy(0.1), X, logits, labels),
                of(new Loss.SoftmaxCrossEntropy(0), X, logits, labels),
                of(new Loss.SoftmaxCrossEntropyGrad(0.1), NONE, logits, labels),
                of(new Loss.SoftmaxCrossEntropy(0.1), X, logits, labels, partners, RATES),
                of(new Loss.SoftmaxCrossEntropyGrad(0.1), NONE, logits, labels, partners, RATES));
    }

    private static List<OpCase> updates() {
        Array w = normal(11);
        Array g = normal(11);
        return List.of(of(new Update.Sgd(0, 0.01, false, 0.5), NONE, w, g, RATES),
                of(new Update.Sgd(0.9, 0.01, false, 1), NONE, w, g, normal(11), RATES),
                of(new Update.Sgd(0.9, 0.01, true, 1), NONE, w, g, normal(11), RATES),
                of(new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1), NONE, w, g, normal(11), positive(11), RATES),
                of(new Update.RmsProp(0.9, 1e-3, true, 0.9, 1e-5, 1), NONE, w, g, positive(11), normal(11), RATES),
                of(new Update.RmsProp(0.9, 1e-3, false, 0, 1e-5, 1), NONE, w, g, positive(11), RATES),
                of(new Update.Lars(0.9, 1e-3, 1e-8, 1e-4, 1), NONE, w, g, normal(11), RATES),
                of(new Update.Sgd(0.9, 0.01, true, 1), NONE, w, g, normal(11), RATES, scalar(0.375)),
                of(new Update.Average(0.99), NONE, w, g, RATES),
                of(new Update.Accumulate(4), NONE, w, g, RATES),
                of(new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1), NONE, w, g, normal(11), positive(11), RATES, scalar(0.375),
                        state(-13, 4, 2)),
                of(new Scaling.Scale(), NONE, g, state(-13, 4, 2)),
                of(new Scaling.Unscale(0.5), NONE, state(-13, 4, 2), w, normal(2, 3), normal(4, 3, 3, 3)),
                of(new Clipping.GlobalNorm(0.5), NONE, w, normal(2, 3), normal(4, 3, 3, 3)));
    }

    private static Array state(double... state) {
        return new Array(Scaling.TYPE, state);
    }

    private static Array scalar(double value) {
        return new Array(new Type(DType.F32, Shape.SCALAR), new double[] {value});
    }

    private static List<OpCase> collectives() {
        return List.of(of(new Collective.AllReduce(Collective.Reduction.SUM, 3), NONE, normal(2, 3), normal(5)),
                of(new Collective.AllReduce(Collective.Reduction.MEAN, 4), NONE, normal(7)));
    }

    private static OpCase of(Op op, List<Integer> differentiable, Array... operands) {
        List<Array> in = List.of(operands);
        return new OpCase(op + " of " + in.stream().map(Array::type).toList(), op, differentiable,
                in.stream().map(Array::type).toList(), in.stream().map(Array::data).toList());
    }

    /** From one sequence, so that no two operands are alike. */
    private static Array normal(int... dims) {
        Array a = new Array(Type.f32(dims), new double[(int) Shape.of(dims).elements()]);
        return map(a, zero -> RANDOM.nextGaussian());
    }

    private static Array positive(int... dims) {
        return map(normal(dims), v -> 0.25 + Math.abs(v));
    }

    private static Array map(Array a, DoubleUnaryOperator f) {
        double[] data = new double[a.data().length];
        for (int i = 0; i < data.length; i++) {
            data[i] = DType.F32.round(f.applyAsDouble(a.data()[i]));
        }
        return new Array(a.type(), data);
    }
}
