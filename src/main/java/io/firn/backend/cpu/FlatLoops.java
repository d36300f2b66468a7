package io.firn.backend.cpu;

import io.firn.graph.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Loops over dense f32 elements, whatever their shape, and their division among the workers. */
final class FlatLoops {
    private static final int CHUNK = 1 << 13;

    private FlatLoops() {
    }

    /** Computes the elements from {@code from} on. */
    @FunctionalInterface
    interface Range {
        void run(long from, int count);
    }

    /** All elements, a chunk a task. */
    record Launch(long elements, Workers workers, Range range, Workers.Task task) implements Runnable {
        Launch(long elements, Workers workers, Range range) {
            this(elements, workers, range, (i, thread) -> {
                long from = (long) i * CHUNK;
                range.run(from, (int) Math.min(CHUNK, elements - from));
            });
        }

        @Override
        public void run() {
            workers.run(Math.toIntExact(Math.ceilDiv(elements, CHUNK)), task);
        }
    }

    private static FloatVector load(long base, int i, int count) {
        long address = base + 4L * i;
        return count - i < Simd.LANES ? Simd.loadPart(address, count - i, false) : Simd.load(address);
    }

    private static void store(FloatVector v, long base, int i, int count) {
        long address = base + 4L * i;
        if (count - i < Simd.LANES) {
            Simd.storePart(v, address, count - i, false);
        } else {
            Simd.store(v, address);
        }
    }

    static void activation(Activation.Kind kind, long x, long y, int count) {
        for (int i = 0; i < count; i += Simd.LANES) {
            FloatVector v = load(x, i, count);
            switch (kind) {
                case RELU -> store(Simd.relu(v), y, i, count);
                case SILU -> store(v.mul(Simd.sigmoid(v, false)), y, i, count);
                case SIGMOID -> store(Simd.sigmoid(v, false), y, i, count);
            }
        }
    }

    static void gradient(Activation.Kind kind, long dy, long saved, long dx, int count) {
        for (int i = 0; i < count; i += Simd.LANES) {
            FloatVector d = load(dy, i, count);
            FloatVector z = load(saved, i, count);
            switch (kind) {
                case RELU -> store(d.blend(Simd.ZERO, z.compare(VectorOperators.LE, Simd.ZERO)), dx, i, count);
                case SILU -> {
                    FloatVector sigma = Simd.sigmoid(z, false);
                    store(d.mul(sigma).mul(z.fma(Simd.ONE.sub(sigma), Simd.ONE)), dx, i, count);
                }
                case SIGMOID -> store(d.mul(z).mul(Simd.ONE.sub(z)), dx, i, count);
            }
        }
    }

    static void scale(long x, long y, int count, float factor) {
        FloatVector f = Simd.of(factor);
        for (int i = 0; i < count; i += Simd.LANES) {
            store(load(x, i, count).mul(f), y, i, count);
        }
    }
}
