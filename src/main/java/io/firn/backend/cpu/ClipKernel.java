package io.firn.backend.cpu;

import io.firn.graph.Clipping;
import java.util.ArrayList;
import java.util.List;

/** The norm over all gradients and the factor that limits it: a chunk a task, added up in their order. */
final class ClipKernel implements Runnable {
    private static final long CHUNK = 1 << 16;

    private record Part(long address, long elements) {
    }

    private final Clipping.GlobalNorm op;
    private final List<Part> parts = new ArrayList<>();
    private final double[] squares;
    private final Tensor factor;
    private final Tensor norm;
    private final Workers workers;
    private final Workers.Task task;

    ClipKernel(Clipping.GlobalNorm op, List<Tensor> gradients, Tensor factor, Tensor norm, Workers workers) {
        this.op = op;
        this.factor = factor;
        this.norm = norm;
        this.workers = workers;
        for (Tensor g : gradients) {
            long elements = g.type().shape().elements();
            for (long from = 0; from < elements; from += CHUNK) {
                parts.add(new Part(g.address() + 4 * from, Math.min(CHUNK, elements - from)));
            }
        }
        squares = new double[parts.size()];
        task = (i, thread) -> squares[i] = UpdateLoops.squares(parts.get(i).address, parts.get(i).elements);
    }

    @Override
    public void run() {
        workers.run(squares.length, task);
        double sum = 0;
        for (double s : squares) {
            sum += s;
        }
        float root = (float) Math.sqrt(sum);
        Native.putFloat(norm.address(), root);
        Native.putFloat(factor.address(), (float) op.factor(root));
    }
}
