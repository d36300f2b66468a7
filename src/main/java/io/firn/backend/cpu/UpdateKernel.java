package io.firn.backend.cpu;

import io.firn.graph.Rates;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The optimizer's step for all parameters in one launch: weights and slots are replaced where they lie (f32), each
 * element read and written once. Ranges that lie behind one another and share their coefficients become one;
 * what does not fill a vector is stepped in a copy.
 */
final class UpdateKernel implements Executable {
    /** Elements a task, so that tasks are many and long. */
    private static final long CHUNK = 1 << 16;
    /** Bytes of a copy of what does not fill a vector: weights, gradients and at most two slots. */
    private static final long COPY = 4L * Frame.VECTOR;

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

    /** A range that fills vectors, and where its elements come from and return to if that is not where it lies. */
    private record Range(Segment filled, Segment rest) {
    }

    private final List<Range> tasks = new ArrayList<>();
    private final NativeArena copies;
    private final Tensor rates;
    private final Workers workers;
    private final Workers.Task task = (i, thread) -> run(tasks.get(i));
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
        copies = new NativeArena(COPY * merged.size());
        for (int i = 0; i < merged.size(); i++) {
            Segment s = merged.get(i);
            long whole = s.elements() - s.elements() % Simd.LANES;
            for (long from = 0; from < whole; from += CHUNK) {
                Segment part = s.part(from, Math.min(CHUNK, whole - from));
                tasks.add(new Range(part, part));
            }
            if (whole < s.elements()) {
                tasks.add(new Range(copy(s, copies.address() + COPY * i), s.part(whole, s.elements() - whole)));
            }
        }
    }

    /** A vector of each operand. */
    private static Segment copy(Segment s, long at) {
        return new Segment(s.op(), at, at + Frame.VECTOR,
                IntStream.range(0, s.slots().length).mapToLong(i -> at + (2L + i) * Frame.VECTOR).toArray(), Simd.LANES);
    }

    @Override
    public void run() {
        learningRate = Native.getFloat(rates.address() + 4 * Rates.LEARNING_RATE);
        steps = Native.getFloat(rates.address() + 4 * Rates.STEP);
        workers.run(tasks.size(), task);
    }

    private void run(Range r) {
        if (r.rest == r.filled) {
            step(r.filled);
            return;
        }
        copy(r.rest, r.filled, r.rest.elements);
        step(r.filled);
        copy(r.filled, r.rest, r.rest.elements);
    }

    private static void copy(Segment from, Segment to, long elements) {
        for (long i = 0; i < 4 * elements; i += 4) {
            Native.putFloat(to.w + i, Native.getFloat(from.w + i));
            Native.putFloat(to.g + i, Native.getFloat(from.g + i));
            for (int k = 0; k < from.slots.length; k++) {
                Native.putFloat(to.slots[k] + i, Native.getFloat(from.slots[k] + i));
            }
        }
    }

    private void step(Segment s) {
        double lr = learningRate * s.op().factor();
        switch (s.op()) {
            case Update.Sgd sgd -> UpdateLoops.sgd(s, lr, sgd.momentum(), sgd.weightDecay(), sgd.nesterov());
            case Update.AdamW a -> UpdateLoops.adamW(s, a, lr, 1 - Math.pow(a.beta1(), steps), 1 - Math.pow(a.beta2(), steps));
            case Update.RmsProp r -> UpdateLoops.rmsProp(s, r, lr);
        }
    }

    @Override
    public void close() {
        copies.close();
    }
}
