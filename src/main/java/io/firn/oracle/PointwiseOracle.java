package io.firn.oracle;

import static io.firn.oracle.Array.map;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Counter;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Masks;
import io.firn.graph.Shape;
import java.util.List;

/** What the ops mean that compute every element on its own: activations, conversions, sums, gates and drops. */
final class PointwiseOracle {
    private PointwiseOracle() {
    }

    static double[] run(Activation op, List<Array> in) {
        double[] a = in.get(0).data();
        Shape shape = in.get(0).shape();
        return switch (op) {
            case Activation.Forward(Activation.Kind kind) -> map(shape, (i, c) -> forward(kind, a[i]));
            case Activation.Grad(Activation.Kind kind) -> {
                double[] saved = in.get(1).data();
                yield map(shape, (i, c) -> a[i] * slope(kind, saved[i]));
            }
        };
    }

    private static double forward(Activation.Kind kind, double x) {
        return switch (kind) {
            case RELU -> Math.max(x, 0);
            case SILU -> x * sigmoid(x);
            case SIGMOID -> sigmoid(x);
        };
    }

    /** The derivative, from the output or the input as {@link Activation.Kind#gradFromOutput()} says. */
    static double slope(Activation.Kind kind, double saved) {
        return switch (kind) {
            case RELU -> saved > 0 ? 1 : 0;
            case SILU -> sigmoid(saved) * (1 + saved * (1 - sigmoid(saved)));
            case SIGMOID -> saved * (1 - saved);
        };
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /** Nothing is rounded here: what storing does to the result is for the caller to add. */
    static double[] run(Conversion op, List<Array> in) {
        double[] x = in.get(0).data();
        return switch (op) {
            case Conversion.Normalize n -> {
                double[] mean = n.mean().stream().mapToDouble(d -> d).toArray();
                double[] std = n.std().stream().mapToDouble(d -> d).toArray();
                yield map(in.get(0).shape(), (i, c) -> (x[i] / 255 - mean[c]) / std[c]);
            }
            case Conversion.Cast c -> x.clone();
        };
    }

    static double[] run(Elementwise op, List<Array> in) {
        double[] a = in.get(0).data();
        double[] b = in.get(1).data();
        return switch (op) {
            case Elementwise.Add s -> map(in.get(0).shape(), (i, c) -> a[i] + b[i]);
        };
    }

    static double[] run(Gate op, List<Array> in) {
        double[] a = in.get(0).data();
        double[] b = in.get(1).data();
        Shape shape = in.get(0).shape();
        return switch (op) {
            case Gate.Scale s -> map(shape, (i, c) -> a[i] * b[i / shape.area()]);
            case Gate.ScaleGrad g -> Array.planeSums(shape, (i, c) -> a[i] * b[i]);
        };
    }

    static double[] run(Drop op, List<Array> in) {
        double[] x = in.get(0).data();
        double[] counter = in.get(1).data();
        int n = in.get(0).shape().n();
        int perSample = x.length / n;
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            int first = (int) counter[Counter.FIRST_SAMPLE];
            long index = switch (op) {
                case Drop.Dropout d -> Masks.elementIndex(first, i / perSample, perSample, i % perSample);
                case Drop.DropPath d -> (long) first + i / perSample;
            };
            boolean kept = Masks.keeps((int) counter[Counter.SEED_LOW], (int) counter[Counter.SEED_HIGH],
                    (int) counter[Counter.STEP], (int) counter[Counter.MICRO_STEP], op.id(), index, op.p());
            y[i] = kept ? x[i] / (1 - op.p()) : 0;
        }
        return y;
    }
}
