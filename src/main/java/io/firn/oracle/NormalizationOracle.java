package io.firn.oracle;

import static io.firn.oracle.Array.channelSums;
import static io.firn.oracle.Array.map;

import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/** What batch {@link Normalization} and its parts mean. */
final class NormalizationOracle {
    private NormalizationOracle() {
    }

    static List<double[]> run(Normalization op, List<Array> in) {
        Shape shape = in.get(0).shape();
        double[][] v = in.stream().map(Array::data).toArray(double[][]::new);
        return switch (op) {
            case Normalization.BatchNorm bn -> batchNorm(bn, shape, v);
            case Normalization.Statistics s -> List.of(channelSums(shape, (i, c) -> v[0][i]),
                    channelSums(shape, (i, c) -> v[0][i] * v[0][i]));
            case Normalization.Finalise f -> finalise(f, v);
            case Normalization.Affine a -> affine(v[0], v[1], v[2], invstd(v[3], a.eps()));
            case Normalization.Apply a -> List.of(v.length == 2 ? map(shape, (i, c) -> v[0][i] * v[1][c])
                    : map(shape, (i, c) -> v[0][i] * v[1][c] + v[2][c]));
            case Normalization.GradSums g -> List.of(
                    channelSums(shape, (i, c) -> v[0][i] * (v[1][i] - v[2][c]) * v[3][c]),
                    channelSums(shape, (i, c) -> v[0][i]));
            case Normalization.GradApply(long count) -> List.of(map(shape, (i, c) -> v[2][c] * v[4][c]
                    * (v[0][i] - v[6][c] / count - (v[1][i] - v[3][c]) * v[4][c] * v[5][c] / count)));
            case Normalization.FoldWeight f -> List.of(foldWeight(shape, v[0], v[1]));
        };
    }

    /** Two passes: the squares are those of deviations, which lose nothing where the mean is large. */
    private static List<double[]> batchNorm(Normalization.BatchNorm op, Shape shape, double[][] v) {
        double[] x = v[0];
        long count = (long) shape.n() * shape.area();
        double[] sum = channelSums(shape, (i, c) -> x[i]);
        double[] mean = vector(sum.length, c -> sum[c] / count);
        double[] squares = channelSums(shape, (i, c) -> (x[i] - mean[c]) * (x[i] - mean[c]));
        double[] variance = vector(sum.length, c -> squares[c] / count);
        double[] invstd = invstd(variance, op.eps());
        double[] y = map(shape, (i, c) -> (x[i] - mean[c]) * invstd[c] * v[1][c] + v[2][c]);
        return List.of(y, mean, invstd, running(v[3], mean, op.momentum()),
                running(v[4], unbiased(variance, count), op.momentum()));
    }

    private static List<double[]> finalise(Normalization.Finalise op, double[][] v) {
        double[] mean = vector(v[0].length, c -> v[0][c] / op.count());
        double[] variance = vector(v[0].length, c -> Math.max(0, v[1][c] / op.count() - mean[c] * mean[c]));
        double[] invstd = invstd(variance, op.eps());
        List<double[]> affine = affine(v[2], v[3], mean, invstd);
        return List.of(mean, invstd, affine.get(0), affine.get(1), running(v[4], mean, op.momentum()),
                running(v[5], unbiased(variance, op.count()), op.momentum()));
    }

    /** scale = weight · invstd, shift = bias - mean · scale. */
    private static List<double[]> affine(double[] weight, double[] bias, double[] mean, double[] invstd) {
        double[] scale = vector(mean.length, c -> weight[c] * invstd[c]);
        return List.of(scale, vector(mean.length, c -> bias[c] - mean[c] * scale[c]));
    }

    private static double[] invstd(double[] variance, double eps) {
        return vector(variance.length, c -> 1 / Math.sqrt(variance[c] + eps));
    }

    private static double[] unbiased(double[] variance, long count) {
        return vector(variance.length, c -> variance[c] * count / Math.max(1, count - 1));
    }

    private static double[] running(double[] before, double[] now, double momentum) {
        return vector(now.length, c -> (1 - momentum) * before[c] + momentum * now[c]);
    }

    private static double[] foldWeight(Shape shape, double[] weight, double[] scale) {
        int filter = weight.length / shape.dim(0);
        return vector(weight.length, i -> weight[i] * scale[i / filter]);
    }

    private static double[] vector(int length, IntToDoubleFunction f) {
        return IntStream.range(0, length).mapToDouble(f).toArray();
    }
}
