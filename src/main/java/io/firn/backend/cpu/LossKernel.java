package io.firn.backend.cpu;

import io.firn.graph.Loss;

/** Softmax cross-entropy of logits [N, K], or its gradient: a sample a task, in double precision. */
final class LossKernel implements Runnable {
    private final Loss op;
    private final Tensor logits;
    private final Tensor labels;
    private final Tensor out;
    private final Workers workers;
    private final int samples;
    private final int classes;
    private final double[] losses;
    private double share;
    private final Workers.Task task = (n, thread) -> row(n);

    LossKernel(Loss op, Tensor logits, Tensor labels, Tensor out, Workers workers) {
        this.op = op;
        this.logits = logits;
        this.labels = labels;
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
            if (label(n) >= classes) {
                throw new IllegalArgumentException("label %d of %d classes".formatted(label(n), classes));
            }
            counted += label(n) >= 0 ? 1 : 0;
        }
        share = 1.0 / Math.max(1, counted);
        workers.run(samples, task);
        if (op instanceof Loss.SoftmaxCrossEntropy) {
            double sum = 0;
            for (double loss : losses) {
                sum += loss;
            }
            Native.putFloat(out.address(), (float) (sum * share));
        }
    }

    private int label(int n) {
        return Native.getInt(labels.address() + 4L * n);
    }

    private void row(int n) {
        long row = logits.address() + 4L * n * classes;
        int label = label(n);
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
        if (op instanceof Loss.SoftmaxCrossEntropy) {
            // Σ q · (logSum - x), where Σ q = 1
            losses[n] = label < 0 ? 0 : logSum - uniform * total
                    - (1 - op.smoothing()) * Native.getFloat(row + 4L * label);
            return;
        }
        for (int k = 0; k < classes; k++) {
            double q = uniform + (k == label ? 1 - op.smoothing() : 0);
            double d = label < 0 ? 0 : (Math.exp(Native.getFloat(row + 4L * k) - logSum) - q) * share;
            Native.putFloat(out.address() + 4L * ((long) n * classes + k), (float) d);
        }
    }
}
