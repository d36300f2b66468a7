package io.firn.backend.cpu;

import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.List;
import java.util.function.Function;

/** A node that makes channel vectors from channel vectors, between two passes over activations; in double precision. */
final class VectorStage {
    private final Normalization op;
    private final List<Tensor> in;
    private final List<Tensor> out;
    /** Where the statistics come from the same launch: they are more exact than the sums that it stores. */
    private final Reduction moments;

    VectorStage(Node n, Function<Value, Tensor> tensors, Reduction moments) {
        op = (Normalization) n.op();
        in = n.inputs().stream().map(tensors).toList();
        out = n.outputs().stream().map(tensors).toList();
        this.moments = moments;
    }

    static boolean isVectorOp(Node n) {
        return n.op() instanceof Normalization.Finalise || n.op() instanceof Normalization.Affine;
    }

    /** Computes the channels from {@code from} to {@code to}. Outputs may lie on inputs. */
    void run(int from, int to) {
        for (int c = from; c < to; c++) {
            if (op instanceof Normalization.Affine affine) {
                affine(c, affine.eps());
            } else {
                finalise(c, (Normalization.Finalise) op);
            }
        }
    }

    private void affine(int c, double eps) {
        double scale = get(0, c) / Math.sqrt(get(3, c) + eps);
        double shift = get(1, c) - get(2, c) * scale;
        put(0, c, scale);
        put(1, c, shift);
    }

    private void finalise(int c, Normalization.Finalise f) {
        double mean = moments != null ? moments.mean[c] : get(0, c) / f.count();
        double variance = moments != null ? moments.squares[c] / f.count()
                : Math.max(0, get(1, c) / f.count() - mean * mean);
        double invstd = 1 / Math.sqrt(variance + f.eps());
        double scale = get(2, c) * invstd;
        double shift = get(3, c) - mean * scale;
        double runningMean = (1 - f.momentum()) * get(4, c) + f.momentum() * mean;
        double runningVariance = (1 - f.momentum()) * get(5, c)
                + f.momentum() * variance * f.count() / Math.max(1, f.count() - 1);
        put(0, c, mean);
        put(1, c, invstd);
        put(2, c, scale);
        put(3, c, shift);
        put(4, c, runningMean);
        put(5, c, runningVariance);
    }

    private double get(int operand, int c) {
        return Native.getFloat(in.get(operand).address() + 4L * c);
    }

    private void put(int result, int c, double x) {
        Native.putFloat(out.get(result).address() + 4L * c, (float) x);
    }
}
