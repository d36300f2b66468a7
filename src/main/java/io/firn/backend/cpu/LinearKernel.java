package io.firn.backend.cpu;

import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.function.Function;
import jdk.incubator.vector.FloatVector;

/**
 * The product of a matrix with a weight [O,K], and its data gradient, in f32. oneDNN adds up a thousand products one after
 * the other, which loses more than 1e-6 of their sum; here no sum in f32 has more than {@link #CHUNK} terms. Both go
 * over the weight row by row, which is what costs: a batch is small beside it.
 */
final class LinearKernel implements Runnable {
    /** Terms that are added up one after the other. */
    private static final int CHUNK = 64;
    private static final int LANES = Simd.LANES;
    /** Multiply-adds that are worth a task of their own. */
    private static final int TASK = 1 << 16;

    private final Workers workers;
    private final long x;
    private final long w;
    private final long bias;
    private final long y;
    private final int samples;
    private final int inputs;
    private final int outputs;
    /** Outputs (forward) or inputs (gradient) that a task computes. */
    private final int share;
    private final int tasks;
    private final Workers.Task task;

    private LinearKernel(Workers workers, Tensor x, Tensor w, long bias, Tensor y, boolean forward) {
        this.workers = workers;
        this.x = x.address();
        this.w = w.address();
        this.bias = bias;
        this.y = y.address();
        samples = x.type().shape().n();
        outputs = w.type().shape().dim(0);
        inputs = w.type().shape().dim(1);
        int all = forward ? outputs : inputs;
        long each = (long) samples * (forward ? inputs : outputs);
        int unit = forward ? 4 : 4 * LANES;
        share = (int) Math.clamp(Math.ceilDiv(TASK / Math.max(1, each), unit) * unit, unit, Math.ceilDiv(all, unit) * unit);
        tasks = Math.ceilDiv(all, share);
        workers.reserve(4L * LANES * Float.BYTES);
        task = forward ? this::forward : this::gradient;
    }

    /** The launch of a {@link Linear.Forward} or {@link Linear.Dgrad}. */
    static LinearKernel of(Node n, Function<Value, Tensor> bind, Workers workers) {
        boolean forward = n.op() instanceof Linear.Forward;
        return new LinearKernel(workers, bind.apply(n.input(0)), bind.apply(n.input(1)),
                forward ? bind.apply(n.input(2)).address() : 0, bind.apply(n.output()), forward);
    }

    @Override
    public void run() {
        workers.run(tasks, task);
    }

    private void forward(int number, int thread) {
        int end = Math.min(outputs, (number + 1) * share);
        long sums = workers.scratch(thread);
        for (int o = number * share; o < end; o += 4) {
            // The last rows are computed again rather than by another loop.
            int few = Math.min(4, end - o);
            long row = w + 4L * o * inputs;
            long w1 = row + 4L * Math.min(1, few - 1) * inputs;
            long w2 = row + 4L * Math.min(2, few - 1) * inputs;
            long w3 = row + 4L * Math.min(3, few - 1) * inputs;
            for (int n = 0; n < samples; n++) {
                dots(x + 4L * n * inputs, row, w1, w2, w3, inputs, sums);
                store(sums, few, o, y + 4L * ((long) n * outputs + o));
            }
        }
    }

    /** Adds up the lanes of four vectors, whose chains of additions overlap, and the bias. */
    private void store(long sums, int few, int o, long to) {
        double s0 = Native.getFloat(bias + 4L * o);
        double s1 = Native.getFloat(bias + 4L * (o + Math.min(1, few - 1)));
        double s2 = Native.getFloat(bias + 4L * (o + Math.min(2, few - 1)));
        double s3 = Native.getFloat(bias + 4L * (o + Math.min(3, few - 1)));
        for (int lane = 0; lane < LANES; lane++) {
            long at = sums + 4L * lane;
            s0 += Native.getFloat(at);
            s1 += Native.getFloat(at + 4L * LANES);
            s2 += Native.getFloat(at + 8L * LANES);
            s3 += Native.getFloat(at + 12L * LANES);
        }
        Native.putFloat(to, (float) s0);
        if (few > 1) {
            Native.putFloat(to + 4, (float) s1);
        }
        if (few > 2) {
            Native.putFloat(to + 8, (float) s2);
        }
        if (few > 3) {
            Native.putFloat(to + 12, (float) s3);
        }
    }

    /** Lane by lane the dot products of one row with four: each lane adds up a 16th of the terms. */
    private static void dots(long x, long w0, long w1, long w2, long w3, int count, long sums) {
        FloatVector a0 = FloatVector.zero(Simd.F), a1 = FloatVector.zero(Simd.F);
        FloatVector a2 = FloatVector.zero(Simd.F), a3 = FloatVector.zero(Simd.F);
        int k = 0;
        for (; k <= count - LANES; k += LANES) {
            long at = 4L * k;
            FloatVector v = Simd.load(x + at);
            a0 = Simd.load(w0 + at).fma(v, a0);
            a1 = Simd.load(w1 + at).fma(v, a1);
            a2 = Simd.load(w2 + at).fma(v, a2);
            a3 = Simd.load(w3 + at).fma(v, a3);
        }
        if (k < count) {
            long at = 4L * k;
            FloatVector v = Simd.loadPart(x + at, count - k, false);
            a0 = Simd.loadPart(w0 + at, count - k, false).fma(v, a0);
            a1 = Simd.loadPart(w1 + at, count - k, false).fma(v, a1);
            a2 = Simd.loadPart(w2 + at, count - k, false).fma(v, a2);
            a3 = Simd.loadPart(w3 + at, count - k, false).fma(v, a3);
        }
        Simd.store(a0, sums);
        Simd.store(a1, sums + 4L * LANES);
        Simd.store(a2, sums + 8L * LANES);
        Simd.store(a3, sums + 12L * LANES);
    }

    private void gradient(int number, int thread) {
        int end = Math.min(inputs, (number + 1) * share);
        for (int n = 0; n < samples; n++) {
            long dy = x + 4L * n * outputs;
            long dx = y + 4L * n * inputs;
            int k = number * share;
            for (; k <= end - 4 * LANES; k += 4 * LANES) {
                columns(dy, w + 4L * k, dx + 4L * k, outputs, 4L * inputs);
            }
            for (; k < end; k += LANES) {
                part(dy, w + 4L * k, dx + 4L * k, outputs, 4L * inputs, Math.min(LANES, end - k));
            }
        }
    }

    /** Four vectors of columns of the weight, each row times its number of {@code dy}, added up. */
    private static void columns(long dy, long w, long dx, int rows, long step) {
        FloatVector t0 = FloatVector.zero(Simd.F), t1 = FloatVector.zero(Simd.F);
        FloatVector t2 = FloatVector.zero(Simd.F), t3 = FloatVector.zero(Simd.F);
        for (int from = 0; from < rows; from += CHUNK) {
            FloatVector a0 = FloatVector.zero(Simd.F), a1 = FloatVector.zero(Simd.F);
            FloatVector a2 = FloatVector.zero(Simd.F), a3 = FloatVector.zero(Simd.F);
            int to = Math.min(rows, from + CHUNK);
            for (int o = from; o < to; o++) {
                FloatVector g = Simd.of(Native.getFloat(dy + 4L * o));
                long at = w + o * step;
                a0 = Simd.load(at).fma(g, a0);
                a1 = Simd.load(at + 4L * LANES).fma(g, a1);
                a2 = Simd.load(at + 8L * LANES).fma(g, a2);
                a3 = Simd.load(at + 12L * LANES).fma(g, a3);
            }
            t0 = t0.add(a0);
            t1 = t1.add(a1);
            t2 = t2.add(a2);
            t3 = t3.add(a3);
        }
        Simd.store(t0, dx);
        Simd.store(t1, dx + 4L * LANES);
        Simd.store(t2, dx + 8L * LANES);
        Simd.store(t3, dx + 12L * LANES);
    }

    /** The same for up to one vector. */
    private static void part(long dy, long w, long dx, int rows, long step, int lanes) {
        FloatVector total = FloatVector.zero(Simd.F);
        for (int from = 0; from < rows; from += CHUNK) {
            FloatVector sum = FloatVector.zero(Simd.F);
            int to = Math.min(rows, from + CHUNK);
            for (int o = from; o < to; o++) {
                sum = Simd.loadPart(w + o * step, lanes, false).fma(Simd.of(Native.getFloat(dy + 4L * o)), sum);
            }
            total = total.add(sum);
        }
        Simd.storePart(total, dx, lanes, false);
    }
}
