package io.firn.backend.cpu;

import static io.firn.backend.cpu.Simd.F;
import static io.firn.backend.cpu.Simd.MEMORY;
import static io.firn.backend.cpu.Simd.ORDER;
import static io.firn.backend.cpu.Simd.S;

import io.firn.graph.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The transforms of 3x3 weights f32 [O,I,3,3]: U = G w Gᵀ as 16 matrices [rows, columns] of f32 or bf16, and of their
 * gradient back, dw = Gᵀ M G from 16 matrices [I,O] of f32. Blocks of 16 rows and 16 columns are turned in scratch
 * memory, so that a vector holds one tap of 16 columns.
 */
final class WinogradWeights {
    private static final int BLOCK = 16;
    private static final int TAPS = 9;
    /** Floats of the taps of 16 filters. */
    private static final int ROW = BLOCK * TAPS;
    /** Floats of a block as it lies in memory, of the turned block, of what lies between the two steps of a transform,
     * and of its result before it is bf16. */
    static final int SCRATCH_FLOATS = 2 * BLOCK * ROW + (12 + Winograd.PLACES) * BLOCK;
    private static final int TURNED = BLOCK * ROW;
    private static final int BETWEEN = 2 * BLOCK * ROW;
    private static final int PLACES = BETWEEN + 12 * BLOCK;
    private static final FloatVector HALF = Simd.of(0.5f);

    private final long dense;
    private final long matrices;
    private final int outputs;
    private final int inputs;
    private final boolean turned;
    private final boolean bf16;
    private final int panel;
    private final long placeBytes;
    /** Of outputs in a task: two of bf16 fill a cache line. */
    private final int blocks;

    /**
     * @param dense    address of the weights, or of where their gradient goes
     * @param matrices address of the 16 matrices
     * @param panel    columns that lie together: 16 matrices of so many, then those of the next
     * @param stride   elements from one matrix to the next
     * @param turned   whether the matrices are [O,I] and the taps are in reverse order, for the data gradient; else [I,O]
     * @param bf16     whether the matrices are
     */
    WinogradWeights(Shape w, long dense, long matrices, int panel, long stride, boolean turned, boolean bf16) {
        this.dense = dense;
        this.matrices = matrices;
        outputs = w.dim(0);
        inputs = w.dim(1);
        this.turned = turned;
        this.bf16 = bf16;
        this.panel = panel;
        placeBytes = stride * (bf16 ? 2 : 4);
        blocks = outputs % (2 * BLOCK) == 0 ? 2 : 1;
    }

    /** Tasks that cover all weights. */
    int tasks() {
        return tasks(outputs);
    }

    /** Tasks that cover those of so many output channels. */
    int tasks(int channels) {
        return channels / BLOCK / blocks;
    }

    private long place(int row, int column) {
        return matrices + column / panel * Winograd.PLACES * placeBytes
                + ((long) row * panel + column % panel) * (bf16 ? 2 : 4);
    }

    private long filter(int o, int i) {
        return dense + ((long) o * inputs + i) * TAPS * 4;
    }

    /** U of a task's output channels. */
    void transform(int task, float[] scratch) {
        for (int i = 0; i < inputs; i += BLOCK) {
            for (int b = 0; b < blocks; b++) {
                transform((task * blocks + b) * BLOCK, i, scratch);
            }
        }
    }

    private void transform(int o, int i, float[] scratch) {
        for (int k = 0; k < BLOCK; k++) {
            MemorySegment.copy(Simd.MEMORY, ValueLayout.JAVA_FLOAT, filter(o + k, i), scratch, k * ROW, ROW);
        }
        // Of the plain form a row is an input channel, and its columns are output channels; else the reverse.
        if (turned) {
            turnWithin(scratch);
        } else {
            turn(scratch);
        }
        for (int row = 0; row < BLOCK; row++) {
            long to = turned ? place(o + row, i) : place(i + row, o);
            for (int lane = 0; lane < BLOCK; lane += Simd.LANES) {
                int taps = TURNED + row * ROW + lane;
                weightColumns(scratch, turned ? taps + 8 * BLOCK : taps, turned ? -BLOCK : BLOCK);
                if (bf16) {
                    weightRows16(scratch, to + 2L * lane, placeBytes);
                } else {
                    weightRows(scratch, to + 4L * lane, placeBytes);
                }
            }
        }
    }

    /** dw of a task's output channels, where the matrices' first is {@code first}. */
    void gradient(int first, int task, float[] scratch) {
        for (int i = 0; i < inputs; i += BLOCK) {
            for (int b = 0; b < blocks; b++) {
                gradient(first, (task * blocks + b) * BLOCK, i, scratch);
            }
        }
    }

    private void gradient(int first, int o, int i, float[] scratch) {
        for (int row = 0; row < BLOCK; row++) {
            for (int lane = 0; lane < BLOCK; lane += Simd.LANES) {
                gradientColumns(place(i + row, o + lane), placeBytes, scratch);
                gradientRows(scratch, TURNED + row * ROW + lane);
            }
        }
        turnBack(scratch);
        for (int k = 0; k < BLOCK; k++) {
            MemorySegment.copy(scratch, k * ROW, Simd.MEMORY, ValueLayout.JAVA_FLOAT, filter(first + o + k, i), ROW);
        }
    }

    /** Each tap of each of 16 filters in a row becomes a vector over the rows. */
    private static void turn(float[] x) {
        for (int k = 0; k < BLOCK; k++) {
            for (int j = 0; j < ROW; j++) {
                x[TURNED + j * BLOCK + k] = x[k * ROW + j];
            }
        }
    }

    private static void turnBack(float[] x) {
        for (int k = 0; k < BLOCK; k++) {
            for (int j = 0; j < ROW; j++) {
                x[k * ROW + j] = x[TURNED + j * BLOCK + k];
            }
        }
    }

    /** Each tap becomes a vector over the 16 filters of a row. */
    private static void turnWithin(float[] x) {
        for (int k = 0; k < BLOCK; k++) {
            for (int tap = 0; tap < TAPS; tap++) {
                for (int lane = 0; lane < BLOCK; lane++) {
                    x[TURNED + k * ROW + tap * BLOCK + lane] = x[k * ROW + lane * TAPS + tap];
                }
            }
        }
    }

    /** G w: from 3 rows of 3 taps to 4 rows of 3; {@code step} is that of the taps. */
    private static void weightColumns(float[] x, int from, int step) {
        for (int column = 0; column < 3; column++) {
            int at = from + column * step;
            int to = BETWEEN + column * BLOCK;
            FloatVector a = FloatVector.fromArray(F, x, at);
            FloatVector c = FloatVector.fromArray(F, x, at + 6 * step);
            FloatVector b = FloatVector.fromArray(F, x, at + 3 * step).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            a.intoArray(x, to);
            ends.add(b).intoArray(x, to + 3 * BLOCK);
            ends.sub(b).intoArray(x, to + 6 * BLOCK);
            c.intoArray(x, to + 9 * BLOCK);
        }
    }

    private static void weightRows(float[] x, long to, long place) {
        for (int r = 0; r < 4; r++) {
            int from = BETWEEN + 3 * r * BLOCK;
            FloatVector a = FloatVector.fromArray(F, x, from);
            FloatVector c = FloatVector.fromArray(F, x, from + 2 * BLOCK);
            FloatVector b = FloatVector.fromArray(F, x, from + BLOCK).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            a.intoMemorySegment(MEMORY, to, ORDER);
            ends.add(b).intoMemorySegment(MEMORY, to + place, ORDER);
            ends.sub(b).intoMemorySegment(MEMORY, to + 2 * place, ORDER);
            c.intoMemorySegment(MEMORY, to + 3 * place, ORDER);
            to += 4 * place;
        }
    }

    private static void weightRows16(float[] x, long to, long place) {
        for (int r = 0; r < 4; r++) {
            int from = BETWEEN + 3 * r * BLOCK;
            FloatVector a = FloatVector.fromArray(F, x, from);
            FloatVector c = FloatVector.fromArray(F, x, from + 2 * BLOCK);
            FloatVector b = FloatVector.fromArray(F, x, from + BLOCK).mul(HALF);
            FloatVector ends = a.add(c).mul(HALF);
            int at = PLACES + 4 * r * BLOCK;
            a.intoArray(x, at);
            ends.add(b).intoArray(x, at + BLOCK);
            ends.sub(b).intoArray(x, at + 2 * BLOCK);
            c.intoArray(x, at + 3 * BLOCK);
        }
        for (int p = 0; p < Winograd.PLACES; p++) {
            IntVector bits = FloatVector.fromArray(F, x, PLACES + p * BLOCK).reinterpretAsInts();
            IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).lanewise(VectorOperators.AND, Simd.INT_ONE);
            bits.lanewise(VectorOperators.ADD, odd.lanewise(VectorOperators.ADD, Simd.HALF_UNIT))
                    .lanewise(VectorOperators.LSHR, 16).convertShape(VectorOperators.I2S, S, 0)
                    .reinterpretAsShorts().intoMemorySegment(MEMORY, to, ORDER);
            to += place;
        }
    }

    /** Gᵀ M: from 4 rows of 4 places to 3 rows of 4. */
    private static void gradientColumns(long from, long place, float[] x) {
        for (int column = 0; column < 4; column++) {
            int to = BETWEEN + column * BLOCK;
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + 4 * place, ORDER).mul(HALF);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, from + 8 * place, ORDER).mul(HALF);
            FloatVector both = b.add(c);
            FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).add(both).intoArray(x, to);
            b.sub(c).intoArray(x, to + 4 * BLOCK);
            FloatVector.fromMemorySegment(F, MEMORY, from + 12 * place, ORDER).add(both).intoArray(x, to + 8 * BLOCK);
            from += place;
        }
    }

    private static void gradientRows(float[] x, int to) {
        for (int r = 0; r < 3; r++) {
            int from = BETWEEN + 4 * r * BLOCK;
            FloatVector b = FloatVector.fromArray(F, x, from + BLOCK).mul(HALF);
            FloatVector c = FloatVector.fromArray(F, x, from + 2 * BLOCK).mul(HALF);
            FloatVector both = b.add(c);
            FloatVector.fromArray(F, x, from).add(both).intoArray(x, to);
            b.sub(c).intoArray(x, to + BLOCK);
            FloatVector.fromArray(F, x, from + 3 * BLOCK).add(both).intoArray(x, to + 2 * BLOCK);
            to += 3 * BLOCK;
        }
    }
}
