package io.firn.backend.cpu;

import io.firn.graph.Rates;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Updates of many states in one launch: weights and slots are replaced where they lie (f32), each element read and
 * written once, but for LARS, whose norms are taken first. Ranges that lie behind one another and share their
 * coefficients become one; what does not fill a vector is stepped in a copy.
 */
final class UpdateKernel implements Executable {
    /** Elements a task, so that tasks are many and long. */
    private static final long CHUNK = 1 << 16;
    /** Bytes of a copy of what does not fill a vector: weights, gradients and at most two slots. */
    private static final long COPY = 4L * Frame.VECTOR;

    /**
     * One state, or several that lie in a row.
     *
     * @param w     address of the weights, or of what else is updated
     * @param g     address of the gradients, or of the values to average
     * @param slots addresses of the optimizer's slots, as {@link Update#slots} orders them
     */
    record Segment(Update op, long w, long g, long[] slots, long elements) {
        private boolean continues(Segment before) {
            long bytes = 4 * before.elements;
            boolean inRow = op.equals(before.op) && !(op instanceof Update.Lars) && w == before.w + bytes
                    && g == before.g + bytes;
            for (int i = 0; inRow && i < slots.length; i++) {
                inRow = slots[i] == before.slots[i] + bytes;
            }
            return inRow;
        }

        private Segment part(long from, long count) {
            return new Segment(op, w + 4 * from, g + 4 * from, Arrays.stream(slots).map(s -> s + 4 * from).toArray(), count);
        }
    }

    /**
     * A range that fills vectors, and where its elements come from and return to if that is not where it lies.
     *
     * @param tensor place in {@link #trust}
     */
    private record Range(Segment filled, Segment rest, int tensor) {
    }

    private final List<Range> tasks = new ArrayList<>();
    private final NativeArena copies;
    private final Tensor rates;
    private final Tensor scales;
    private final Workers workers;
    private final Workers.Task task = (i, thread) -> run(tasks.get(i));
    private final List<Segment> adapted = new ArrayList<>();
    private final double[] trust;
    private final Workers.Task adapting = (i, thread) -> adapt(i);
    private double learningRate;
    private double steps;
    private double scale = 1;
    private boolean keep;

    /** @param scales a factor of all gradients; null for none */
    UpdateKernel(List<Segment> segments, Tensor rates, Tensor scales, Workers workers) {
        this.rates = rates;
        this.scales = scales;
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
            int tensor = s.op() instanceof Update.Lars ? adapted.size() : -1;
            if (tensor >= 0) {
                adapted.add(s);
            }
            long whole = s.elements() - s.elements() % Simd.LANES;
            for (long from = 0; from < whole; from += CHUNK) {
                Segment part = s.part(from, Math.min(CHUNK, whole - from));
                tasks.add(new Range(part, part, tensor));
            }
            if (whole < s.elements()) {
                tasks.add(new Range(copy(s, copies.address() + COPY * i), s.part(whole, s.elements() - whole), tensor));
            }
        }
        trust = new double[adapted.size()];
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
        keep = Native.getFloat(rates.address() + 4 * Rates.KEEP) != 0;
        if (scales != null) {
            scale = Native.getFloat(scales.address());
            if (scale == 0) {
                return;
            }
        }
        workers.run(trust.length, adapting);
        workers.run(tasks.size(), task);
    }

    private void adapt(int tensor) {
        Segment s = adapted.get(tensor);
        trust[tensor] = ((Update.Lars) s.op()).trust(Math.sqrt(UpdateLoops.squares(s.w, s.elements)),
                scale * Math.sqrt(UpdateLoops.squares(s.g, s.elements)));
    }

    private void run(Range r) {
        if (r.rest == r.filled) {
            step(r);
            return;
        }
        copy(r.rest, r.filled, r.rest.elements);
        step(r);
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

    private void step(Range r) {
        Segment s = r.filled;
        switch (s.op()) {
            case Update.Sgd sgd -> UpdateLoops.sgd(s, sgd, rate(sgd), scale);
            case Update.AdamW a -> UpdateLoops.adamW(s, a, rate(a), scale, 1 - Math.pow(a.beta1(), steps),
                    1 - Math.pow(a.beta2(), steps));
            case Update.RmsProp p -> UpdateLoops.rmsProp(s, p, rate(p), scale);
            case Update.Lars l -> UpdateLoops.lars(s, l, rate(l), scale, trust[r.tensor]);
            case Update.Average a -> UpdateLoops.average(s, a.decay());
            case Update.Accumulate a -> UpdateLoops.accumulate(s, a.batches(), keep);
        }
    }

    private double rate(Update.Step op) {
        return learningRate * op.factor();
    }

    @Override
    public void close() {
        copies.close();
    }
}
