package io.firn.oracle;

import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Op;
import java.util.List;

/** What a net's end means: {@link Linear} products and the {@link Loss}. */
final class LinearOracle {
    private LinearOracle() {
    }

    static double[] run(Linear op, List<Array> in) {
        double[] a = in.get(0).data();
        int n = in.get(0).shape().n();
        int columns = in.get(0).shape().c();
        return switch (op) {
            case Linear.Forward f -> {
                int outputs = in.get(1).shape().dim(0);
                double[] bias = in.get(2).data();
                double[] y = new double[n * outputs];
                Products.addProductTransposed(n, columns, outputs, a, 0, in.get(1).data(), 0, y, 0);
                for (int i = 0; i < y.length; i++) {
                    y[i] += bias[i % outputs];
                }
                yield y;
            }
            case Linear.Dgrad d -> {
                int inputs = in.get(1).shape().dim(1);
                double[] dx = new double[n * inputs];
                Products.addProduct(n, columns, inputs, Products.Slice.rows(a, 0, columns), in.get(1).data(), 0, dx, 0);
                yield dx;
            }
            case Linear.Wgrad w -> {
                int outputs = in.get(1).shape().c();
                double[] dw = new double[outputs * columns];
                Products.addProduct(outputs, n, columns,
                        Products.Slice.rows(in.get(1).data(), 0, outputs).transposed(), a, 0, dw, 0);
                yield dw;
            }
            case Linear.BiasGrad b -> Array.channelSums(in.get(0).shape(), (i, c) -> a[i]);
        };
    }

    static double[] run(Loss op, List<Array> in) {
        double[] logits = in.get(0).data();
        int classes = in.get(0).shape().c();
        Targets targets = Targets.of(op, in.stream().map(Array::data).toList(), classes);
        double share = 1.0 / Math.max(1, targets.counted());
        double loss = 0;
        double[] gradient = new double[logits.length];
        for (int n = 0; n < in.get(0).shape().n(); n++) {
            if (!targets.counts(n)) {
                continue;
            }
            double logSum = logSumOfExponentials(logits, n * classes, classes);
            for (int k = 0; k < classes; k++) {
                double logP = logits[n * classes + k] - logSum;
                double q = targets.of(n, k);
                loss -= q * logP * share;
                gradient[n * classes + k] = (Math.exp(logP) - q) * share;
            }
        }
        return switch (op) {
            case Loss.SoftmaxCrossEntropy l -> new double[] {loss};
            case Loss.SoftmaxCrossEntropyGrad g -> gradient;
        };
    }

    private static double logSumOfExponentials(double[] x, int from, int length) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = from; i < from + length; i++) {
            max = Math.max(max, x[i]);
        }
        double sum = 0;
        for (int i = from; i < from + length; i++) {
            sum += Math.exp(x[i] - max);
        }
        return max + Math.log(sum);
    }
}
