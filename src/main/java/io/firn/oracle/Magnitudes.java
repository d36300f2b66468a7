package io.firn.oracle;

import static io.firn.oracle.Array.map;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The scale against which an element's error is measured: what rounding may have got wrong is a {@link Tolerance} times
 * this. It is a first-order error analysis with the unit roundoff taken out: what is given has its absolute value as
 * magnitude, and an op whose operands are off by at most their magnitudes (times a small unit) gives a result that is
 * off by at most its own. So for sums of products it is the sum of the absolute values that were added up, through a
 * chain of nodes (a fused launch's meaning) it carries on what cancelled before, and for other functions it is the
 * result's absolute value plus the operands' magnitudes times a bound of the slope. Never less than the absolute value,
 * nor than what the element type can hold well.
 *
 * <p>Two ops jump: a ReLU's gradient where its output is near 0, and the place of a maximum where two are near. On
 * operands that are given both are exact; where the operand was computed inside the chain and is within the tolerance
 * of the jump, the magnitude is infinite: there any answer is right.
 */
public final class Magnitudes {
    private Magnitudes() {
    }

    /**
     * The magnitude of every value that the nodes read or write.
     *
     * @param inputs    elements of what the nodes read and do not write themselves
     * @param tolerance decides what is near a jump
     */
    public static Map<Value, double[]> of(List<Node> nodes, Map<Value, double[]> inputs, Tolerance tolerance) {
        Map<Value, double[]> values = new HashMap<>(inputs);
        GraphOracle.run(nodes, values, GraphOracle.Precision.EXACT);
        Map<Value, Bounded> known = new HashMap<>();
        inputs.forEach((v, data) -> known.put(v, Bounded.given(v.type(), data)));
        for (Node n : nodes) {
            List<Bounded> in = n.inputs().stream().map(known::get).toList();
            List<double[]> out = n.outputs().stream().map(values::get).toList();
            List<double[]> magnitudes = of(n.op(), in, out, tolerance);
            for (int i = 0; i < out.size(); i++) {
                Type type = n.outputs().get(i).type();
                known.put(n.outputs().get(i), new Bounded(type, out.get(i), atLeast(floor(type.dtype()),
                        magnitudes.get(i)), margin(n.op(), in.getFirst(), out.get(i))));
            }
        }
        Map<Value, double[]> magnitudes = new HashMap<>();
        known.forEach((v, b) -> magnitudes.put(v, b.magnitude()));
        return magnitudes;
    }

    /** A ReLU's output changes sign where its input does, and is as exact. */
    private static double[] margin(Op op, Bounded in, double[] out) {
        return op instanceof Activation.Forward(Activation.Kind kind) && kind == Activation.Kind.RELU ? in.margin()
                : Bounded.absolute(out);
    }

    /** Below this, numbers of the type lose digits or are flushed to zero, on the way to a result at the latest. */
    private static double floor(DType dtype) {
        return switch (dtype) {
            case F32, BF16 -> 1e-30;
            case F16 -> 0x1p-14;
            case U8, I32 -> 0;
        };
    }

    private static double[] atLeast(double floor, double[] x) {
        return Arrays.stream(x).map(v -> Math.max(v, floor)).toArray();
    }

    /** The magnitudes of one op's outputs, with operands that are given. */
    public static List<double[]> of(Op op, List<Type> types, List<double[]> in) {
        List<Bounded> operands = new ArrayList<>();
        for (int i = 0; i < in.size(); i++) {
            operands.add(Bounded.given(types.get(i), in.get(i)));
        }
        List<double[]> magnitudes = of(op, operands, Interpreter.run(op, types, in), Tolerance.FP32);
        List<Type> out = op.infer(types);
        return IntStream.range(0, out.size()).mapToObj(i -> atLeast(floor(out.get(i).dtype()), magnitudes.get(i)))
                .toList();
    }

    private static List<double[]> of(Op op, List<Bounded> in, List<double[]> out, Tolerance tolerance) {
        return switch (op) {
            case Convolution c -> ofProducts(op, in);
            case Linear.BiasGrad l -> ofSums(op, in);
            case Linear l -> ofProducts(op, in);
            case Collective r -> ofSums(op, in);
            case Elementwise e -> ofSums(op, in);
            case Gate g -> ofProducts(op, in);
            case Drop d -> ofSums(op, in);
            case Shortcut s -> ofSums(op, in);
            case Slicing s -> ofSums(op, in);
            case Activation.Forward(Activation.Kind kind) -> List.of(activation(kind, in.getFirst(), out.getFirst()));
            case Activation.Grad(Activation.Kind kind) -> List.of(slope(kind, in.get(0), in.get(1), tolerance));
            case Conversion.Normalize n -> List.of(map(in.getFirst().shape(), (i, c) ->
                    (in.getFirst().magnitude()[i] / 255 + Math.abs(n.mean().get(c))) / n.std().get(c)));
            case Conversion.Cast c -> List.of(in.getFirst().magnitude());
            case Loss l -> List.of(loss(l, in, out.getFirst()));
            case Normalization n -> NormalizationMagnitudes.of(n, in);
            case Pooling.Max m -> PoolingMagnitudes.max(m, in.getFirst(), out, tolerance);
            case Pooling.MaxGrad m -> PoolingMagnitudes.maxGrad(m, in.get(0), in.get(1));
            case Pooling.GlobalAverage g -> ofSums(op, in);
            case Pooling.GlobalAverageGrad g -> ofSums(op, in);
            case Update u -> UpdateMagnitudes.of(u, in);
            case Clipping c -> UpdateMagnitudes.of(out);
            case Scaling s -> UpdateMagnitudes.of(s, in, out);
        };
    }

    /** Of a sum with positive factors: the op itself, on magnitudes. */
    static List<double[]> ofSums(Op op, List<Bounded> in) {
        return run(op, in, in.stream().map(Bounded::operand).toList());
    }

    /**
     * Of a sum of products of the first two operands: the op itself on positive numbers, one factor off and the other
     * not. The larger of the two is at least half of what both together are off by at first order; where both are given
     * it is the sum of the absolute products.
     */
    static List<double[]> ofProducts(Op op, List<Bounded> in) {
        List<double[]> second = new ArrayList<>(in.stream().map(Bounded::magnitude).toList());
        List<double[]> first = new ArrayList<>(second);
        second.set(0, Bounded.absolute(in.get(0).value()));
        if (Arrays.equals(second.get(0), first.get(0))) {
            return run(op, in, second);
        }
        first.set(1, Bounded.absolute(in.get(1).value()));
        double[] a = run(op, in, first).getFirst();
        double[] b = run(op, in, second).getFirst();
        return List.of(IntStream.range(0, a.length).mapToDouble(i -> Math.max(a[i], b[i])).toArray());
    }

    private static List<double[]> run(Op op, List<Bounded> in, List<double[]> operands) {
        return Interpreter.run(op, in.stream().map(Bounded::type).toList(), operands);
    }

    private static double[] activation(Activation.Kind kind, Bounded x, double[] y) {
        return map(x.shape(), (i, c) -> switch (kind) {
            case RELU -> x.magnitude()[i];
            case SILU -> Math.abs(y[i]) + 1.1 * x.magnitude()[i];
            case SIGMOID -> y[i] + 0.25 * x.magnitude()[i];
        });
    }

    /** A product, whose second factor has a slope of its own: at most 1/2 (SiLU), or 1 (sigmoid, by its output). */
    private static double[] slope(Activation.Kind kind, Bounded dy, Bounded saved, Tolerance tolerance) {
        return map(dy.shape(), (i, c) -> switch (kind) {
            case RELU -> !saved.exact() && saved.margin()[i] <= tolerance.share() * saved.magnitude()[i]
                    ? Double.POSITIVE_INFINITY : dy.magnitude()[i];
            case SILU -> 1.1 * dy.magnitude()[i] + 0.5 * Math.abs(dy.value()[i]) * saved.magnitude()[i];
            case SIGMOID -> 0.25 * dy.magnitude()[i] + Math.abs(dy.value()[i]) * saved.magnitude()[i];
        });
    }

    /** The logarithm of a sum of exponentials moves by no more than its largest operand, p by twice that times p. */
    private static double[] loss(Loss op, List<Bounded> in, double[] out) {
        Bounded logits = in.get(0);
        int classes = logits.shape().c();
        int rows = logits.shape().n();
        Targets targets = Targets.of(op, in.stream().map(Bounded::value).toList(), classes);
        double counted = Math.max(1, targets.counted());
        double[] largest = new double[rows];
        double sum = 0;
        for (int i = 0; i < logits.value().length; i++) {
            largest[i / classes] = Math.max(largest[i / classes], logits.magnitude()[i]);
        }
        for (int n = 0; n < rows; n++) {
            sum += targets.counts(n) ? 2 * largest[n] + Math.log(classes) : 0;
        }
        return switch (op) {
            case Loss.SoftmaxCrossEntropy l -> new double[] {sum / counted + Math.abs(out[0])};
            case Loss.SoftmaxCrossEntropyGrad g -> {
                double[] m = new double[out.length];
                for (int i = 0; i < m.length; i++) {
                    double q = targets.of(i / classes, i % classes);
                    double p = out[i] * counted + q;
                    m[i] = targets.counts(i / classes) ? (p * (1 + 2 * largest[i / classes]) + q) / counted : 0;
                }
                yield m;
            }
        };
    }
}
