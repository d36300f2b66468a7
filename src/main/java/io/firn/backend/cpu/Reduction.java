package io.firn.backend.cpu;

import io.firn.graph.Gate;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import java.util.List;
import java.util.function.Function;
import io.firn.graph.Value;

/**
 * The sums that one node takes over pixels: what a loop has to add up for it, the partial sums of each range of
 * samples, and how they become its outputs. Sums of channels are joined in the order of the ranges, so that they do
 * not depend on which thread was first.
 */
final class Reduction {
    final Node node;
    final Loop.Reduce kind;
    /** Whether there is a sum for each sample ([N, C]), finished with it; else one for each channel. */
    final boolean perSample;
    private final List<Tensor> outputs;
    private final Tensor invstd;
    private final int channels;
    private final int area;
    /* By range and channel: sums, and for moments the pivot that was subtracted. */
    private double[] first;
    private double[] second;
    private float[] pivots;
    private long[] counts;
    /** Mean of each channel and sum of the squared deviations from it, of the last run (moments only). */
    final double[] mean;
    final double[] squares;

    Reduction(Node node, Function<Value, Tensor> tensors) {
        this.node = node;
        outputs = node.outputs().stream().map(tensors).toList();
        kind = switch (node.op()) {
            case Normalization.Statistics s -> Loop.Reduce.MOMENTS;
            case Pooling.GlobalAverage g -> Loop.Reduce.SUM;
            case Normalization.GradSums g -> Loop.Reduce.PRODUCT;
            case Gate.ScaleGrad g -> Loop.Reduce.PRODUCT;
            default -> throw new IllegalArgumentException("no reduction: " + node);
        };
        perSample = node.op() instanceof Pooling || node.op() instanceof Gate;
        invstd = node.op() instanceof Normalization.GradSums ? tensors.apply(node.input(3)) : null;
        channels = node.input(0).shape().c();
        area = node.input(0).shape().area();
        mean = new double[kind == Loop.Reduce.MOMENTS ? channels : 0];
        squares = new double[mean.length];
    }

    static boolean isReduction(Node n) {
        return n.op() instanceof Normalization.Statistics || n.op() instanceof Normalization.GradSums
                || n.op() instanceof Pooling.GlobalAverage || n.op() instanceof Gate.ScaleGrad;
    }

    /** How many of the lanes from channel {@code c} on are channels; a padded block may have none. */
    private int valid(int lanes, int c) {
        return Math.clamp(channels - c, 0, lanes);
    }

    void allocate(int ranges) {
        first = new double[ranges * channels];
        second = new double[ranges * channels];
        pivots = new float[ranges * channels];
        counts = new long[ranges * channels];
    }

    /** Takes the pivots of a range's channels from {@code c} on. */
    void pivot(int range, int c, int lanes, float[] values, int offset) {
        int n = valid(lanes, c);
        System.arraycopy(values, offset, pivots, range * channels + (n > 0 ? c : 0), n);
    }

    /** Takes the sums of a range's channels from {@code c} on. */
    void partial(int range, int c, int lanes, double[] totals, int offset, long count) {
        int n = valid(lanes, c);
        if (n == 0) {
            return;
        }
        System.arraycopy(totals, offset, first, range * channels + c, n);
        System.arraycopy(totals, offset + 16, second, range * channels + c, n);
        java.util.Arrays.fill(counts, range * channels + c, range * channels + c + n, count);
    }

    /** Stores a sample's results for the channels from {@code c} on. */
    void sample(int n, int c, int lanes, double[] totals, int offset) {
        long to = outputs.getFirst().address() + 4 * ((long) n * channels + c);
        boolean average = kind == Loop.Reduce.SUM;
        for (int i = 0; i < valid(lanes, c); i++) {
            double sum = average ? totals[offset + i] / area : totals[offset + 16 + i];
            Native.putFloat(to + 4L * i, (float) sum);
        }
    }

    /** Joins the ranges' sums of the channels from {@code from} to {@code to} and stores the results. */
    void finish(int ranges, int from, int to) {
        for (int c = from; c < to; c++) {
            if (kind == Loop.Reduce.MOMENTS) {
                moments(ranges, c);
            } else {
                double sum = 0;
                double product = 0;
                for (int r = 0; r < ranges; r++) {
                    sum += first[r * channels + c];
                    product += second[r * channels + c];
                }
                Native.putFloat(outputs.get(0).address() + 4L * c, (float) (product * Native.getFloat(invstd.address() + 4L * c)));
                Native.putFloat(outputs.get(1).address() + 4L * c, (float) sum);
            }
        }
    }

    /** Joins means and squared deviations (Chan, Golub and LeVeque 1979), which cancel nothing where means are large. */
    private void moments(int ranges, int c) {
        double m = 0;
        double m2 = 0;
        long n = 0;
        for (int r = 0; r < ranges; r++) {
            int i = r * channels + c;
            if (counts[i] > 0) {
                double shift = first[i] / counts[i];
                double delta = pivots[i] + shift - m;
                long both = n + counts[i];
                m2 += second[i] - first[i] * shift + delta * delta * n * counts[i] / both;
                m += delta * counts[i] / both;
                n = both;
            }
        }
        mean[c] = m;
        squares[c] = Math.max(0, m2);
        Native.putFloat(outputs.get(0).address() + 4L * c, (float) (m * n));
        Native.putFloat(outputs.get(1).address() + 4L * c, (float) (squares[c] + m * m * n));
    }
}
