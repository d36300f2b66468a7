package io.firn.backend.cpu;

import io.firn.graph.Shape;
import jdk.incubator.vector.FloatVector;

/**
 * The transforms of 3x3 weights f32 [O,I,3,3]: U = G w Gᵀ as 16 matrices [rows, columns] of f32 or bf16, and of their
 * gradient back, dw = Gᵀ M G from 16 matrices [I,O] of f32. Blocks of 16 rows and 16 columns are turned in scratch
 * memory, so that a vector holds one tap of 16 columns.
 */
final class WinogradWeights {
    private static final int BLOCK = 16;
    private static final int TAPS = 9;
    private static final int LINE = 4 * BLOCK;
    /** Of the turned block, and of what lies between the two steps of a transform. */
    static final long SCRATCH_BYTES = (BLOCK * TAPS + 12) * (long) LINE;
    private static final FloatVector HALF = Simd.of(0.5f);

    private final long dense;
    private final long matrices;
    private final int outputs;
    private final int inputs;
    private final boolean turned;
    private final boolean bf16;
    private final long placeBytes;
    /** Of outputs in a task: two of bf16 fill a cache line. */
    private final int blocks;

    /**
     * @param dense    address of the weights, or of where their gradient goes
     * @param matrices address of the 16 matrices
     * @param stride   elements from one matrix to the next
     * @param turned   whether the matrices are [O,I] and the taps are in reverse order, for the data gradient; else [I,O]
     * @param bf16     whether the matrices are
     */
    WinogradWeights(Shape w, long dense, long matrices, long stride, boolean turned, boolean bf16) {
        this.dense = dense;
        this.matrices = matrices;
        outputs = w.dim(0);
        inputs = w.dim(1);
        this.turned = turned;
        this.bf16 = bf16;
        placeBytes = stride * (bf16 ? 2 : 4);
        blocks = outputs % (2 * BLOCK) == 0 ? 2 : 1;
    }

    /** Tasks that cover all weights. */
    int tasks() {
        return outputs / BLOCK / blocks;
    }

    private int columns() {
        return turned ? inputs : outputs;
    }

    private long place(int row, int column) {
        return matrices + ((long) row * columns() + column) * (bf16 ? 2 : 4);
    }

    private long filter(int o, int i) {
        return dense + ((long) o * inputs + i) * TAPS * 4;
    }

    /** U of a task's output channels. */
    void transform(int task, long scratch) {
        for (int i = 0; i < inputs; i += BLOCK) {
            for (int b = 0; b < blocks; b++) {
                transform((task * blocks + b) * BLOCK, i, scratch);
            }
        }
    }

    private void transform(int o, int i, long scratch) {
        long between = scratch + BLOCK * TAPS * LINE;
        // Of the plain form a row is an input channel, and its columns are output channels; else the reverse.
        for (int k = 0; k < BLOCK; k++) {
            if (turned) {
                scatter(filter(o + k, i), scratch + k * TAPS * LINE);
            } else {
                spread(filter(o + k, i), scratch + 4 * k);
            }
        }
        for (int row = 0; row < BLOCK; row++) {
            long to = turned ? place(o + row, i) : place(i + row, o);
            for (int lane = 0; lane < BLOCK; lane += Simd.LANES) {
                long taps = scratch + row * TAPS * LINE + 4 * lane;
                weightColumns(turned ? taps + 8 * LINE : taps, turned ? -LINE : LINE, between);
                if (bf16) {
                    weightRows16(between, to + 2L * lane, placeBytes);
                } else {
                    weightRows(between, to + 4L * lane, placeBytes);
                }
            }
        }
    }

    /** dw of a task's output channels. */
    void gradient(int task, long scratch) {
        for (int i = 0; i < inputs; i += BLOCK) {
            for (int b = 0; b < blocks; b++) {
                gradient((task * blocks + b) * BLOCK, i, scratch);
            }
        }
    }

    private void gradient(int o, int i, long scratch) {
        long between = scratch + BLOCK * TAPS * LINE;
        for (int row = 0; row < BLOCK; row++) {
            for (int lane = 0; lane < BLOCK; lane += Simd.LANES) {
                gradientColumns(place(i + row, o + lane), placeBytes, between);
                gradientRows(between, scratch + row * TAPS * LINE + 4 * lane);
            }
        }
        for (int k = 0; k < BLOCK; k++) {
            collect(scratch + 4 * k, filter(o + k, i));
        }
    }

    /** The taps of 16 filters that lie in a row become one lane of 144 vectors. */
    private static void spread(long from, long to) {
        for (int j = 0; j < BLOCK * TAPS; j++) {
            Native.putFloat(to + (long) j * LINE, Native.getFloat(from + 4L * j));
        }
    }

    private static void collect(long from, long to) {
        for (int j = 0; j < BLOCK * TAPS; j++) {
            Native.putFloat(to + 4L * j, Native.getFloat(from + (long) j * LINE));
        }
    }

    /** The taps of 16 filters that lie in a row become 9 vectors of 16 lanes. */
    private static void scatter(long from, long to) {
        for (int tap = 0; tap < TAPS; tap++) {
            for (int lane = 0; lane < BLOCK; lane++) {
                Native.putFloat(to + tap * LINE + 4L * lane, Native.getFloat(from + 4L * (lane * TAPS + tap)));
            }
        }
    }

    /** G w: from 3 rows of 3 taps to 4 rows of 3; {@code step} is that of the taps. */
    private static void weightColumns(long from, long step, long to) {
        for (int column = 0; column < 3; column++) {
            FloatVector a = Simd.load(from);
            FloatVector c = Simd.load(from + 6 * step);
            FloatVector b = Simd.load(from + 3 * step).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            Simd.store(a, to);
            Simd.store(ends.add(b), to + 3 * LINE);
            Simd.store(ends.sub(b), to + 6 * LINE);
            Simd.store(c, to + 9 * LINE);
            from += step;
            to += LINE;
        }
    }

    private static void weightRows(long from, long to, long place) {
        for (int r = 0; r < 4; r++) {
            FloatVector a = Simd.load(from);
            FloatVector c = Simd.load(from + 2 * LINE);
            FloatVector b = Simd.load(from + LINE).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            Simd.store(a, to);
            Simd.store(ends.add(b), to + place);
            Simd.store(ends.sub(b), to + 2 * place);
            Simd.store(c, to + 3 * place);
            from += 3 * LINE;
            to += 4 * place;
        }
    }

    private static void weightRows16(long from, long to, long place) {
        for (int r = 0; r < 4; r++) {
            FloatVector a = Simd.load(from);
            FloatVector c = Simd.load(from + 2 * LINE);
            FloatVector b = Simd.load(from + LINE).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            Simd.storeBf16(a, to);
            Simd.storeBf16(ends.add(b), to + place);
            Simd.storeBf16(ends.sub(b), to + 2 * place);
            Simd.storeBf16(c, to + 3 * place);
            from += 3 * LINE;
            to += 4 * place;
        }
    }

    /** Gᵀ M: from 4 rows of 4 places to 3 rows of 4. */
    private static void gradientColumns(long from, long place, long to) {
        for (int column = 0; column < 4; column++) {
            FloatVector b = Simd.load(from + 4 * place).mul(HALF);
            FloatVector c = Simd.load(from + 8 * place).mul(HALF);
            FloatVector both = b.add(c);
            Simd.store(Simd.load(from).add(both), to);
            Simd.store(b.sub(c), to + 4 * LINE);
            Simd.store(Simd.load(from + 12 * place).add(both), to + 8 * LINE);
            from += place;
            to += LINE;
        }
    }

    private static void gradientRows(long from, long to) {
        for (int r = 0; r < 3; r++) {
            FloatVector b = Simd.load(from + LINE).mul(HALF);
            FloatVector c = Simd.load(from + 2 * LINE).mul(HALF);
            FloatVector both = b.add(c);
            Simd.store(Simd.load(from).add(both), to);
            Simd.store(b.sub(c), to + LINE);
            Simd.store(Simd.load(from + 3 * LINE).add(both), to + 2 * LINE);
            from += 4 * LINE;
            to += 3 * LINE;
        }
    }
}
