package io.firn.backend.cpu;

import static io.firn.backend.cpu.Simd.F;
import static io.firn.backend.cpu.Simd.MEMORY;
import static io.firn.backend.cpu.Simd.ORDER;

import io.firn.plan.Buffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import jdk.incubator.vector.FloatVector;

/**
 * A forward or data-gradient {@link Winograd} convolution in f32 whose tiles never leave a core's second-level cache: each
 * task transforms some rows of tiles, multiplies them with one panel of 64 output channels after the other, and
 * transforms the results back.
 */
final class WinogradF32Kernel implements Executable {
    /** Output channels of a panel: four vectors. */
    static final int PANEL = 64;
    /** Tiles that are multiplied at once: with four vectors each, 16 sums in registers. */
    private static final int GROUP = 4;
    /** Of a task: the results of a panel stay in the second-level cache, and a panel of weights is worth its copy. */
    private static final int MOST_TILES = 64;
    /** Of each thread, so that none waits long for another. */
    private static final int LEAST_TASKS = 2;
    /** Elements between matrices, so that they do not meet in the cache's sets. */
    private static final int PAD = 32;
    private static final int LANES = 16;
    private static final int VECTOR = 4 * LANES;

    private final Winograd sizes;
    private final Workers workers;
    private final WinogradTiles source;
    private final WinogradTiles result;
    private final WinogradWeights weights;
    private final NativeArena zeros;
    private final long u;
    private final int depth;
    private final int rows;
    private final int tiles;
    private final int sourcePlace;
    private final int resultPlace;
    private final long weightPlace;
    private final Workers.Task transformWeights;
    private final Workers.Task convolve = this::convolve;

    /** @param scratch address of the workspace, which holds U */
    WinogradF32Kernel(Winograd sizes, Tensor from, Tensor to, Tensor w, Optional<WinogradTail> tail, long scratch,
                      Workers workers) {
        this.sizes = sizes;
        this.workers = workers;
        u = scratch;
        depth = sizes.from().c();
        int allRows = sizes.from().n() * sizes.tileRows();
        rows = Math.clamp(Math.min(MOST_TILES / sizes.tileColumns(), allRows / (LEAST_TASKS * workers.threads())), 1, allRows);
        tiles = Math.ceilDiv(rows * sizes.tileColumns(), GROUP) * GROUP;
        sourcePlace = tiles * depth + PAD;
        resultPlace = tiles * PANEL + PAD;
        weightPlace = 4L * depth * PANEL;
        workers.reserve(WinogradTiles.scratchBytes(sizes));
        workers.reserveFloats(Math.max(Winograd.PLACES * (sourcePlace + resultPlace) + depth * PANEL,
                WinogradWeights.SCRATCH_FLOATS));
        zeros = new NativeArena(Math.max(WinogradTiles.rowBytes(from), WinogradTiles.rowBytes(to)));
        source = new WinogradTiles(sizes, from, sourcePlace, false, zeros.address());
        result = new WinogradTiles(sizes, to, resultPlace, false, zeros.address(), tail);
        weights = new WinogradWeights(w.type().shape(), w.address(), u, PANEL, weightPlace / 4,
                sizes.direction() == Product.Direction.DGRAD, false);
        transformWeights = (i, thread) -> weights.transform(i, workers.floats(thread));
    }

    /** Bytes of U. */
    static long workspace(Winograd w) {
        return Buffer.align(4L * Winograd.PLACES * w.from().c() * w.to().c());
    }

    @Override
    public void run() {
        workers.run(weights.tasks(), transformWeights);
        workers.run(Math.ceilDiv(sizes.from().n() * sizes.tileRows(), rows), convolve);
    }

    private void convolve(int task, int thread) {
        float[] floats = workers.floats(thread);
        int m = Winograd.PLACES * sourcePlace;
        int b = m + Winograd.PLACES * resultPlace;
        long scratch = workers.scratch(thread);
        int first = task * rows;
        int count = Math.min(rows, sizes.from().n() * sizes.tileRows() - first);
        int columns = sizes.tileColumns();
        for (int i = 0; i < count; i++) {
            source(first + i, floats, i * columns * depth, scratch);
        }
        int groups = Math.ceilDiv(count * columns, GROUP);
        for (int panel = 0; panel * PANEL < sizes.to().c(); panel++) {
            for (int place = 0; place < Winograd.PLACES; place++) {
                copy(u + (panel * Winograd.PLACES + place) * weightPlace, floats, b, depth * PANEL);
                for (int g = 0; g < groups; g++) {
                    multiply(floats, place * sourcePlace + g * GROUP * depth, depth, b,
                            m + place * resultPlace + g * GROUP * PANEL);
                }
            }
            for (int i = 0; i < count; i++) {
                result(first + i, panel * PANEL, floats, m + i * columns * PANEL, scratch);
            }
        }
    }

    /** V of a row of tiles, from its place on. */
    private void source(int row, float[] floats, int at, long scratch) {
        for (int c = 0; c < depth; c += LANES) {
            source.sourceStrips(row / sizes.tileRows(), row % sizes.tileRows(), c, scratch);
            for (int r = 0; r < 4; r++) {
                sourceRows(scratch + r * source.stripBytes(), floats, at + c + 4 * r * sourcePlace, sourcePlace,
                        sizes.tileColumns(), depth);
            }
        }
    }

    private static void sourceRows(long from, float[] to, int at, int place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + VECTOR, ORDER);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, from + 2 * VECTOR, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).sub(c).intoArray(to, at);
            b.add(c).intoArray(to, at + place);
            c.sub(b).intoArray(to, at + 2 * place);
            b.sub(FloatVector.fromMemorySegment(F, MEMORY, from + 3 * VECTOR, ORDER)).intoArray(to, at + 3 * place);
            from += 2 * VECTOR;
            at += step;
        }
    }

    /** The pixels of a row of tiles and of a panel's channels. */
    private void result(int row, int first, float[] floats, int at, long scratch) {
        for (int c = 0; c < PANEL; c += LANES) {
            for (int column = 0; column < 4; column++) {
                resultColumns(floats, at + c + column * resultPlace, 4 * resultPlace, scratch + column * VECTOR,
                        sizes.tileColumns());
            }
            result.resultOf(row / sizes.tileRows(), row % sizes.tileRows(), first + c, scratch);
        }
    }

    private static void resultColumns(float[] from, int at, int place, long to, int count) {
        for (int i = 0; i < count; i++) {
            FloatVector b = FloatVector.fromArray(F, from, at + place);
            FloatVector c = FloatVector.fromArray(F, from, at + 2 * place);
            FloatVector.fromArray(F, from, at).add(b).add(c).intoMemorySegment(MEMORY, to, ORDER);
            b.sub(c).sub(FloatVector.fromArray(F, from, at + 3 * place)).intoMemorySegment(MEMORY, to + 4 * VECTOR, ORDER);
            at += PANEL;
            to += 8 * VECTOR;
        }
    }

    private static void copy(long from, float[] to, int at, int count) {
        MemorySegment.copy(MEMORY, ValueLayout.JAVA_FLOAT, from, to, at, count);
    }

    /** Four tiles [4, depth] at {@code a} times a panel [depth, 64] at {@code b}, to {@code to}, all in one array. */
    static void multiply(float[] x, int a, int depth, int b, int to) {
        // Zeros made here, since a constant object would keep the sums from being registers.
        FloatVector s00 = FloatVector.zero(F);
        FloatVector s01 = FloatVector.zero(F);
        FloatVector s02 = FloatVector.zero(F);
        FloatVector s03 = FloatVector.zero(F);
        FloatVector s10 = FloatVector.zero(F);
        FloatVector s11 = FloatVector.zero(F);
        FloatVector s12 = FloatVector.zero(F);
        FloatVector s13 = FloatVector.zero(F);
        FloatVector s20 = FloatVector.zero(F);
        FloatVector s21 = FloatVector.zero(F);
        FloatVector s22 = FloatVector.zero(F);
        FloatVector s23 = FloatVector.zero(F);
        FloatVector s30 = FloatVector.zero(F);
        FloatVector s31 = FloatVector.zero(F);
        FloatVector s32 = FloatVector.zero(F);
        FloatVector s33 = FloatVector.zero(F);
        for (int i = 0; i < depth; i++) {
            int w = b + i * PANEL;
            FloatVector b0 = FloatVector.fromArray(F, x, w);
            FloatVector b1 = FloatVector.fromArray(F, x, w + LANES);
            FloatVector b2 = FloatVector.fromArray(F, x, w + 2 * LANES);
            FloatVector b3 = FloatVector.fromArray(F, x, w + 3 * LANES);
            FloatVector x0 = FloatVector.broadcast(F, x[a + i]);
            s00 = b0.fma(x0, s00);
            s01 = b1.fma(x0, s01);
            s02 = b2.fma(x0, s02);
            s03 = b3.fma(x0, s03);
            FloatVector x1 = FloatVector.broadcast(F, x[a + depth + i]);
            s10 = b0.fma(x1, s10);
            s11 = b1.fma(x1, s11);
            s12 = b2.fma(x1, s12);
            s13 = b3.fma(x1, s13);
            FloatVector x2 = FloatVector.broadcast(F, x[a + 2 * depth + i]);
            s20 = b0.fma(x2, s20);
            s21 = b1.fma(x2, s21);
            s22 = b2.fma(x2, s22);
            s23 = b3.fma(x2, s23);
            FloatVector x3 = FloatVector.broadcast(F, x[a + 3 * depth + i]);
            s30 = b0.fma(x3, s30);
            s31 = b1.fma(x3, s31);
            s32 = b2.fma(x3, s32);
            s33 = b3.fma(x3, s33);
        }
        store(s00, s01, s02, s03, x, to);
        store(s10, s11, s12, s13, x, to + PANEL);
        store(s20, s21, s22, s23, x, to + 2 * PANEL);
        store(s30, s31, s32, s33, x, to + 3 * PANEL);
    }

    private static void store(FloatVector a, FloatVector b, FloatVector c, FloatVector d, float[] to, int at) {
        a.intoArray(to, at);
        b.intoArray(to, at + LANES);
        c.intoArray(to, at + 2 * LANES);
        d.intoArray(to, at + 3 * LANES);
    }

    @Override
    public void close() {
        zeros.close();
    }
}
