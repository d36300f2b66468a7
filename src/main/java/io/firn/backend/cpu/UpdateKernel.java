package io.firn.backend.cpu;

import io.firn.graph.Rates;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The optimizer's step for all parameters in one launch: weights and slots are replaced where they lie (f32), each
 * element read and written once. Ranges that lie behind one another and share their coefficients become one.
 */
final class UpdateKernel implements Runnable {
    /** Elements a task, so that tasks are many and long. */
    private static final long CHUNK = 1 << 16;

    /**
     * One parameter, or several that lie in a row.
     *
     * @param w     address of the weights
     * @param g     address of the gradients
     * @param slots addresses of the optimizer's slots, as {@link Update#slots} orders them
     */
    record Segment(Update op, long w, long g, long[] slots, long elements) {
        private boolean continues(Segment before) {
            long bytes = 4 * before.elements;
            boolean inRow = op.equals(before.op) && w == before.w + bytes && g == before.g + bytes;
            for (int i = 0; inRow && i < slots.length; i++) {
                inRow = slots[i] == before.slots[i] + bytes;
            }
            return inRow;
        }

        private Segment part(long from, long count) {
            return new Segment(op, w + 4 * from, g + 4 * from, Arrays.stream(slots).map(s -> s + 4 * from).toArray(), count);
        }
    }

    private final List<Segment> tasks = new ArrayList<>();
    private final Tensor rates;
    private final Workers workers;
    private final Workers.Task task = (i, thread) -> step(tasks.get(i));
    private double learningRate;
    private double steps;

    UpdateKernel(List<Segment> segments, Tensor rates, Workers workers) {
        this.rates = rates;
        this.workers = workers;
        List<Segment> merged = new ArrayList<>();
        for (Segment s : segments) {
            if (s.slots().length != s.op().slots().size()) {
                throw new IllegalArgumentException("%d slots for %s".formatted(s.slots().length, s.op()));
            }
            Segment last = merged.isEmpty() ? null : merged.getLast();
            if (last != null && s.continues(last)) {
                merged.set(merged.size() - 1, new Segment(s.op(), last.w(), last.g(), last.slots(), last.elements() + s.elements()));
            } else {
                merged.add(s);
            }
        }
        for (Segment s : merged) {
            for (long from = 0; from < s.elements(); from += CHUNK) {
                tasks.add(s.part(from, Math.min(CHUNK, s.elements() - from)));
            }
        }
    }

    @Override
    public void run() {
        learningRate = Native.getFloat(rates.address() + 4 * Rates.LEARNING_RATE);
        steps = Native.getFloat(rates.address() + 4 * Rates.STEP);
        workers.run(tasks.size(), task);
    }

    private void step(Segment s) {
        double lr = learningRate * s.op().factor();
        switch (s.op()) {
            case Update.Sgd sgd -> UpdateLoops.sgd(s, lr, sgd.momentum(), sgd.weightDecay(), sgd.nesterov());
            case Update.AdamW a -> UpdateLoops.adamW(s, a, lr, 1 - Math.pow(a.beta1(), steps), 1 - Math.pow(a.beta2(), steps));
            case Update.RmsProp r -> UpdateLoops.rmsProp(s, r, lr);
        }
    }
}
