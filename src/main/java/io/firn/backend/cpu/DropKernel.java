package io.firn.backend.cpu;

import io.firn.graph.Counter;
import io.firn.graph.Drop;
import io.firn.graph.Masks;

/** Dropout or drop-path of a matrix [N, C] in f32, a sample a task; the result may lie on the operand. */
record DropKernel(Drop op, Tensor x, Tensor counter, Tensor y, Workers workers, Workers.Task task)
        implements Runnable {

    DropKernel(Drop op, Tensor x, Tensor counter, Tensor y, Workers workers) {
        this(op, x, counter, y, workers,
                (n, thread) -> row(op, x.address(), counter.address(), y.address(), x.type().shape().c(), n));
    }

    @Override
    public void run() {
        workers.run(x.type().shape().n(), task);
    }

    private static void row(Drop op, long x, long counter, long y, int columns, int n) {
        int first = Native.getInt(counter + 4 * Counter.FIRST_SAMPLE);
        boolean path = op instanceof Drop.DropPath;
        float survivor = (float) (1 / (1 - op.p()));
        boolean kept = path && keeps(op, counter, (long) first + n);
        for (int c = 0; c < columns; c++) {
            if (!path) {
                kept = keeps(op, counter, Masks.elementIndex(first, n, columns, c));
            }
            long at = 4 * ((long) n * columns + c);
            Native.putFloat(y + at, kept ? Native.getFloat(x + at) * survivor : 0);
        }
    }

    private static boolean keeps(Drop op, long counter, long index) {
        return Masks.keeps(Native.getInt(counter + 4 * Counter.SEED_LOW), Native.getInt(counter + 4 * Counter.SEED_HIGH),
                Native.getInt(counter + 4 * Counter.STEP), Native.getInt(counter + 4 * Counter.MICRO_STEP), op.id(), index,
                op.p());
    }
}
