package io.firn.backend.cpu;

import static io.firn.backend.cpu.Simd.F;
import static io.firn.backend.cpu.Simd.I;
import static io.firn.backend.cpu.Simd.MEMORY;
import static io.firn.backend.cpu.Simd.ORDER;
import static io.firn.backend.cpu.Simd.S;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.Optional;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The transforms between activations and tiles, one row of tiles of one image at a time. Each goes in two steps, first
 * over the tiles' columns into scratch memory, then over their rows: loops must stay small, and loads and stores written
 * out, to be compiled (see {@link Simd} and {@link StripLoop}).
 */
final class WinogradTiles {
    private static final int VECTOR = 4 * Simd.LANES;

    private final Shape shape;
    private final boolean bf16;
    private final boolean blocked;
    private final int tileColumns;
    private final long base;
    private final long placeBytes;
    private final boolean tiles16;
    private final long stripBytes;
    /** Pixels as long as a row that stand for those beyond the image's edges. */
    private final long zeros;
    private final WinogradTail tail;

    /**
     * @param activations their tensor
     * @param placeStride elements from one of the 16 matrices of tiles to the next
     * @param bf16        whether the matrices are
     * @param zeros       address of {@link #rowBytes} zeros
     */
    WinogradTiles(Winograd w, Tensor activations, long placeStride, boolean bf16, long zeros) {
        this(w, activations, placeStride, bf16, zeros, Optional.empty());
    }

    /** @param tail what happens to f32 results on their way out */
    WinogradTiles(Winograd w, Tensor activations, long placeStride, boolean bf16, long zeros, Optional<WinogradTail> tail) {
        this.tail = tail.orElse(null);
        shape = activations.type().shape();
        this.bf16 = activations.type().dtype() == DType.BF16;
        blocked = activations.layout() instanceof Layout.Blocked16;
        tileColumns = w.tileColumns();
        base = activations.address();
        tiles16 = bf16;
        stripBytes = (2L * tileColumns + 2) * VECTOR;
        placeBytes = placeStride * bytes(bf16);
        this.zeros = zeros;
    }

    /** Bytes of scratch memory that a thread needs. */
    static long scratchBytes(Winograd w) {
        return 8L * (2 * w.tileColumns() + 2) * VECTOR;
    }

    long stripBytes() {
        return stripBytes;
    }

    /** Bytes of a row of pixels, one channel's vector after the other. */
    static long rowBytes(Tensor t) {
        Shape s = t.type().shape();
        return (long) s.w() * pixel(s, t.layout() instanceof Layout.Blocked16) * t.type().dtype().bytes();
    }

    private static int bytes(boolean bf16) {
        return bf16 ? 2 : 4;
    }

    private static int pixel(Shape s, boolean blocked) {
        return blocked ? Layout.Blocked16.BLOCK : s.c();
    }

    private int pixelBytes() {
        return pixel(shape, blocked) * bytes(bf16);
    }

    /** Address of the first pixel of a row, at a channel; of zeros where the row lies outside. */
    private long row(int n, int h, int c) {
        return h < 0 || h >= shape.h() ? zeros : base + place(n, h, c);
    }

    /** Bytes from the first pixel to that of a row, at a channel. */
    private long place(int n, int h, int c) {
        long element = blocked
                ? (((long) n * (shape.c() / 16) + c / 16) * shape.h() + h) * shape.w() * 16 + c % 16
                : ((long) n * shape.h() + h) * shape.w() * shape.c() + c;
        return element * bytes(bf16);
    }

    /**
     * V = Bᵀ x B of a row of tiles of image {@code n}.
     *
     * @param tiles address of the first tile's channels in the first matrix [tiles, C]
     */
    void source(int n, int tileRow, long tiles, long scratch) {
        for (int c = 0; c < shape.c(); c += Simd.LANES) {
            sourceStrips(n, tileRow, c, scratch);
            long to = tiles + (long) c * bytes(tiles16);
            for (int r = 0; r < 4; r++) {
                if (tiles16) {
                    long rows = scratch + 4 * stripBytes;
                    sourceRows(scratch + r * stripBytes, rows, stripBytes, tileColumns, VECTOR);
                    narrowRows(rows, to + 4 * r * placeBytes, shape.c());
                } else {
                    sourceRows(scratch + r * stripBytes, to + 4 * r * placeBytes, placeBytes, tileColumns, shape.c() * 4);
                }
            }
        }
    }

    /** The first step, Bᵀ x, of a vector of channels: four strips of {@link #stripBytes}, two vectors a tile and two more. */
    void sourceStrips(int n, int tileRow, int c, long scratch) {
        int h = 2 * tileRow - 1;
        long r0 = row(n, h, c);
        long r1 = row(n, h + 1, c);
        long r2 = row(n, h + 2, c);
        long r3 = row(n, h + 3, c);
        clearEdges(scratch, 1);
        if (bf16) {
            long rows = scratch + 4 * stripBytes;
            widen(r0, rows, shape.w(), pixelBytes());
            widen(r1, rows + stripBytes, shape.w(), pixelBytes());
            widen(r2, rows + 2 * stripBytes, shape.w(), pixelBytes());
            widen(r3, rows + 3 * stripBytes, shape.w(), pixelBytes());
            sourceColumns(rows, rows + stripBytes, rows + 2 * stripBytes, rows + 3 * stripBytes, scratch + VECTOR, stripBytes,
                    shape.w(), VECTOR);
        } else {
            sourceColumns(r0, r1, r2, r3, scratch + VECTOR, stripBytes, shape.w(), pixelBytes());
        }
    }

    /** A row of tiles of each of four places. */
    private void narrowRows(long from, long to, int channels) {
        for (int j = 0; j < 4; j++) {
            narrow(from + j * stripBytes, to + j * placeBytes, tileColumns, channels * 2);
        }
    }

    private static void widen(long from, long to, int count, int step) {
        for (int i = 0; i < count; i++) {
            ((IntVector) ShortVector.fromMemorySegment(S, MEMORY, from, ORDER).convertShape(VectorOperators.S2I, I, 0))
                    .lanewise(VectorOperators.LSHL, 16).intoMemorySegment(MEMORY, to, ORDER);
            from += step;
            to += VECTOR;
        }
    }

    /** To bf16, rounded as {@link Simd} does. */
    private static void narrow(long from, long to, int count, int step) {
        for (int i = 0; i < count; i++) {
            IntVector bits = IntVector.fromMemorySegment(I, MEMORY, from, ORDER);
            IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).lanewise(VectorOperators.AND, Simd.INT_ONE);
            bits.lanewise(VectorOperators.ADD, odd.lanewise(VectorOperators.ADD, Simd.HALF_UNIT))
                    .lanewise(VectorOperators.LSHR, 16).convertShape(VectorOperators.I2S, S, 0)
                    .reinterpretAsShorts().intoMemorySegment(MEMORY, to, ORDER);
            from += VECTOR;
            to += step;
        }
    }

    /** Zeros left and right of what is written of the four strips in scratch memory. */
    private void clearEdges(long scratch, int before) {
        for (int r = 0; r < 4; r++) {
            if (before > 0) {
                Simd.ZERO.intoMemorySegment(MEMORY, scratch + r * stripBytes, ORDER);
            }
            for (long x = (before + shape.w()) * (long) VECTOR; x < stripBytes; x += VECTOR) {
                Simd.ZERO.intoMemorySegment(MEMORY, scratch + r * stripBytes + x, ORDER);
            }
        }
    }

    private static void sourceColumns(long r0, long r1, long r2, long r3, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, r1, ORDER);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, r2, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, r0, ORDER).sub(c).intoMemorySegment(MEMORY, to, ORDER);
            b.add(c).intoMemorySegment(MEMORY, to + length, ORDER);
            c.sub(b).intoMemorySegment(MEMORY, to + 2 * length, ORDER);
            b.sub(FloatVector.fromMemorySegment(F, MEMORY, r3, ORDER)).intoMemorySegment(MEMORY, to + 3 * length, ORDER);
            r0 += step;
            r1 += step;
            r2 += step;
            r3 += step;
            to += VECTOR;
        }
    }

    private static void sourceRows(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + VECTOR, ORDER);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, from + 2 * VECTOR, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).sub(c).intoMemorySegment(MEMORY, to, ORDER);
            b.add(c).intoMemorySegment(MEMORY, to + place, ORDER);
            c.sub(b).intoMemorySegment(MEMORY, to + 2 * place, ORDER);
            b.sub(FloatVector.fromMemorySegment(F, MEMORY, from + 3 * VECTOR, ORDER)).intoMemorySegment(MEMORY, to + 3 * place, ORDER);
            from += 2 * VECTOR;
            to += step;
        }
    }

    /** D = A dy Aᵀ of a row of tiles, of some of its channels: those that D has. */
    void gradient(int n, int tileRow, int first, int channels, long tiles, long scratch) {
        for (int c = first; c < first + channels; c += Simd.LANES) {
            long r0 = row(n, 2 * tileRow, c);
            long r1 = row(n, 2 * tileRow + 1, c);
            clearEdges(scratch, 0);
            if (bf16) {
                long rows = scratch + 4 * stripBytes;
                widen(r0, rows, shape.w(), pixelBytes());
                widen(r1, rows + stripBytes, shape.w(), pixelBytes());
                gradientColumns(rows, rows + stripBytes, scratch, stripBytes, shape.w(), VECTOR);
            } else {
                gradientColumns(r0, r1, scratch, stripBytes, shape.w(), pixelBytes());
            }
            long to = tiles + (long) (c - first) * bytes(tiles16);
            for (int r = 0; r < 4; r++) {
                if (tiles16) {
                    long rows = scratch + 4 * stripBytes;
                    gradientRows(scratch + r * stripBytes, rows, stripBytes, tileColumns, VECTOR);
                    narrowRows(rows, to + 4 * r * placeBytes, channels);
                } else {
                    gradientRows(scratch + r * stripBytes, to + 4 * r * placeBytes, placeBytes, tileColumns, channels * 4);
                }
            }
        }
    }

    private static void gradientColumns(long r0, long r1, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = FloatVector.fromMemorySegment(F, MEMORY, r0, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, r1, ORDER);
            a.intoMemorySegment(MEMORY, to, ORDER);
            a.add(b).intoMemorySegment(MEMORY, to + length, ORDER);
            a.sub(b).intoMemorySegment(MEMORY, to + 2 * length, ORDER);
            Simd.ZERO.sub(b).intoMemorySegment(MEMORY, to + 3 * length, ORDER);
            r0 += step;
            r1 += step;
            to += VECTOR;
        }
    }

    private static void gradientRows(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = FloatVector.fromMemorySegment(F, MEMORY, from, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + VECTOR, ORDER);
            a.intoMemorySegment(MEMORY, to, ORDER);
            a.add(b).intoMemorySegment(MEMORY, to + place, ORDER);
            a.sub(b).intoMemorySegment(MEMORY, to + 2 * place, ORDER);
            Simd.ZERO.sub(b).intoMemorySegment(MEMORY, to + 3 * place, ORDER);
            from += 2 * VECTOR;
            to += step;
        }
    }

    /**
     * y = Aᵀ M A of a row of tiles; M is f32.
     *
     * @param tiles address of the first tile in the first matrix [tiles, C]
     */
    void result(int n, int tileRow, long tiles, long scratch) {
        for (int c = 0; c < shape.c(); c += Simd.LANES) {
            for (int column = 0; column < 4; column++) {
                resultColumns(tiles + 4L * c + column * placeBytes, 4 * placeBytes, scratch + column * VECTOR, tileColumns,
                        shape.c() * 4);
            }
            resultOf(n, tileRow, c, scratch);
        }
    }

    /** The second step, from eight vectors of sums a tile: four columns of the upper row of pixels, four of the lower. */
    void resultOf(int n, int tileRow, int c, long scratch) {
        for (int r = 0; r < 2 && 2 * tileRow + r < shape.h(); r++) {
            long to = row(n, 2 * tileRow + r, c);
            long strip = scratch + r * 4L * VECTOR;
            if (bf16) {
                long pixels = scratch + 4 * stripBytes;
                resultRows(strip, pixels, shape.w(), VECTOR);
                narrow(pixels, to, shape.w(), pixelBytes());
            } else {
                resultRows(strip, to, shape.w(), pixelBytes());
                if (tail != null) {
                    tail.finish(to, tail.residual().isEmpty() ? zeros
                            : tail.residual().get().address() + place(n, 2 * tileRow + r, c), c, shape.w(), pixelBytes());
                }
            }
        }
    }

    /** Both sums of one of a tile's columns, and so eight vectors a tile. */
    private static void resultColumns(long from, long place, long to, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + place, ORDER);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, from + 2 * place, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).add(b).add(c).intoMemorySegment(MEMORY, to, ORDER);
            b.sub(c).sub(FloatVector.fromMemorySegment(F, MEMORY, from + 3 * place, ORDER)).intoMemorySegment(MEMORY, to + 4 * VECTOR, ORDER);
            from += step;
            to += 8 * VECTOR;
        }
    }

    private static void resultRows(long from, long to, int width, int step) {
        for (int left = width; left > 0; left -= 2) {
            FloatVector b = FloatVector.fromMemorySegment(F, MEMORY, from + VECTOR, ORDER);
            FloatVector c = FloatVector.fromMemorySegment(F, MEMORY, from + 2 * VECTOR, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, from, ORDER).add(b).add(c).intoMemorySegment(MEMORY, to, ORDER);
            if (left > 1) {
                b.sub(c).sub(FloatVector.fromMemorySegment(F, MEMORY, from + 3 * VECTOR, ORDER)).intoMemorySegment(MEMORY, to + step, ORDER);
            }
            from += 8 * VECTOR;
            to += 2 * step;
        }
    }

}
