package io.firn.backend.cpu;

import io.firn.graph.Loss;
import io.firn.graph.Rates;
import java.util.List;

/** Softmax cross-entropy of logits [N, K], or its gradient: a sample a task, in double precision. */
final class LossKernel implements Runnable {
    private final Loss op;
    private final Tensor logits;
    private final Tensor labels;
    private final Tensor partners;
    private final Tensor rates;
    private final Tensor out;
    private final Workers workers;
    private final int samples;
    private final int classes;
    private final double[] losses;
    private double share;
    private double lambda = 1;
    private final Workers.Task task = (n, thread) -> row(n);

    /** @param in as {@link Loss} has them */
    LossKernel(Loss op, List<Tensor> in, Tensor out, Workers workers) {
        this.op = op;
        this.logits = in.get(0);
        this.labels = in.get(1);
        this.partners = Loss.isMixed(in) ? in.get(2) : labels;
        this.rates = Loss.isMixed(in) ? in.get(3) : null;
        this.out = out;
        this.workers = workers;
        samples = logits.type().shape().n();
        classes = logits.type().shape().c();
        losses = new double[samples];
    }

    @Override
    public void run() {
        int counted = 0;
        for (int n = 0; n < samples; n++) {
            int label = label(labels, n);
            int partner = label(partners, n);
            if (Math.max(label, partner) >= classes) {
                throw new IllegalArgumentException("label %d of %d classes".formatted(Math.max(label, partner), classes));
            }
            counted += label >= 0 && partner >= 0 ? 1 : 0;
        }
        share = 1.0 / Math.max(1, counted);
        if (rates != null) {
            lambda = Native.getFloat(rates.address() + 4 * Rates.MIX);
        }
        workers.run(samples, task);
        if (op instanceof Loss.SoftmaxCrossEntropy) {
            double sum = 0;
            for (double loss : losses) {
                sum += loss;
            }
            Native.putFloat(out.address(), (float) (sum * share));
        }
    }

    private static int label(Tensor of, int n) {
        return Native.getInt(of.address() + 4L * n);
    }

    private void row(int n) {
        long row = logits.address() + 4L * n * classes;
        int label = label(labels, n);
        int partner = label(partners, n);
        boolean counts = label >= 0 && partner >= 0;
        double max = Double.NEGATIVE_INFINITY;
        double total = 0;
        for (int k = 0; k < classes; k++) {
            double x = Native.getFloat(row + 4L * k);
            max = Math.max(max, x);
            total += x;
        }
        double sum = 0;
        for (int k = 0; k < classes; k++) {
            sum += Math.exp(Native.getFloat(row + 4L * k) - max);
        }
        double logSum = max + Math.log(sum);
        double uniform = op.smoothing() / classes;
        double own = (1 - op.smoothing()) * lambda;
        double others = (1 - op.smoothing()) * (1 - lambda);
        if (op instanceof Loss.SoftmaxCrossEntropy) {
            // Σ q · (logSum - x), where Σ q = 1
            losses[n] = !counts ? 0 : logSum - uniform * total - own * Native.getFloat(row + 4L * label)
                    - others * Native.getFloat(row + 4L * partner);
            return;
        }
        for (int k = 0; k < classes; k++) {
            double q = uniform + (k == label ? own : 0) + (k == partner ? others : 0);
            double d = !counts ? 0 : (Math.exp(Native.getFloat(row + 4L * k) - logSum) - q) * share;
            Native.putFloat(out.address() + 4L * ((long) n * classes + k), (float) d);
        }
    }
}
