package io.firn.backend.cpu;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import jdk.incubator.vector.FloatVector;

/**
 * The transforms between activations and tiles, one row of tiles of one image at a time. Each goes in two steps, first
 * over the tiles' columns into scratch memory, then over their rows: loops must stay small to be compiled (see
 * {@link Simd}).
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

    /**
     * @param activations their tensor
     * @param placeStride elements from one of the 16 matrices of tiles to the next
     * @param bf16        whether the matrices are
     * @param zeros       address of {@link #rowBytes} zeros
     */
    WinogradTiles(Winograd w, Tensor activations, long placeStride, boolean bf16, long zeros) {
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
        return 4L * (2 * w.tileColumns() + 2) * VECTOR;
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
        if (h < 0 || h >= shape.h()) {
            return zeros;
        }
        long element = blocked
                ? (((long) n * (shape.c() / 16) + c / 16) * shape.h() + h) * shape.w() * 16 + c % 16
                : ((long) n * shape.h() + h) * shape.w() * shape.c() + c;
        return base + element * bytes(bf16);
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
                    sourceRows16(scratch + r * stripBytes, to + 4 * r * placeBytes, placeBytes, tileColumns, shape.c() * 2);
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
            sourceColumns16(r0, r1, r2, r3, scratch + VECTOR, stripBytes, shape.w(), pixelBytes());
        } else {
            sourceColumns(r0, r1, r2, r3, scratch + VECTOR, stripBytes, shape.w(), pixelBytes());
        }
    }

    /** Zeros left and right of what is written of the four strips in scratch memory. */
    private void clearEdges(long scratch, int before) {
        for (int r = 0; r < 4; r++) {
            if (before > 0) {
                Simd.store(Simd.ZERO, scratch + r * stripBytes);
            }
            for (long x = (before + shape.w()) * (long) VECTOR; x < stripBytes; x += VECTOR) {
                Simd.store(Simd.ZERO, scratch + r * stripBytes + x);
            }
        }
    }

    private static void sourceColumns(long r0, long r1, long r2, long r3, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = Simd.load(r1);
            FloatVector c = Simd.load(r2);
            Simd.store(Simd.load(r0).sub(c), to);
            Simd.store(b.add(c), to + length);
            Simd.store(c.sub(b), to + 2 * length);
            Simd.store(b.sub(Simd.load(r3)), to + 3 * length);
            r0 += step;
            r1 += step;
            r2 += step;
            r3 += step;
            to += VECTOR;
        }
    }

    private static void sourceColumns16(long r0, long r1, long r2, long r3, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = Simd.loadBf16(r1);
            FloatVector c = Simd.loadBf16(r2);
            Simd.store(Simd.loadBf16(r0).sub(c), to);
            Simd.store(b.add(c), to + length);
            Simd.store(c.sub(b), to + 2 * length);
            Simd.store(b.sub(Simd.loadBf16(r3)), to + 3 * length);
            r0 += step;
            r1 += step;
            r2 += step;
            r3 += step;
            to += VECTOR;
        }
    }

    private static void sourceRows(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = Simd.load(from + VECTOR);
            FloatVector c = Simd.load(from + 2 * VECTOR);
            Simd.store(Simd.load(from).sub(c), to);
            Simd.store(b.add(c), to + place);
            Simd.store(c.sub(b), to + 2 * place);
            Simd.store(b.sub(Simd.load(from + 3 * VECTOR)), to + 3 * place);
            from += 2 * VECTOR;
            to += step;
        }
    }

    private static void sourceRows16(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = Simd.load(from + VECTOR);
            FloatVector c = Simd.load(from + 2 * VECTOR);
            Simd.storeBf16(Simd.load(from).sub(c), to);
            Simd.storeBf16(b.add(c), to + place);
            Simd.storeBf16(c.sub(b), to + 2 * place);
            Simd.storeBf16(b.sub(Simd.load(from + 3 * VECTOR)), to + 3 * place);
            from += 2 * VECTOR;
            to += step;
        }
    }

    /** D = A dy Aᵀ of a row of tiles. */
    void gradient(int n, int tileRow, long tiles, long scratch) {
        for (int c = 0; c < shape.c(); c += Simd.LANES) {
            long r0 = row(n, 2 * tileRow, c);
            long r1 = row(n, 2 * tileRow + 1, c);
            clearEdges(scratch, 0);
            if (bf16) {
                gradientColumns16(r0, r1, scratch, stripBytes, shape.w(), pixelBytes());
            } else {
                gradientColumns(r0, r1, scratch, stripBytes, shape.w(), pixelBytes());
            }
            long to = tiles + (long) c * bytes(tiles16);
            for (int r = 0; r < 4; r++) {
                if (tiles16) {
                    gradientRows16(scratch + r * stripBytes, to + 4 * r * placeBytes, placeBytes, tileColumns, shape.c() * 2);
                } else {
                    gradientRows(scratch + r * stripBytes, to + 4 * r * placeBytes, placeBytes, tileColumns, shape.c() * 4);
                }
            }
        }
    }

    private static void gradientColumns(long r0, long r1, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = Simd.load(r0);
            FloatVector b = Simd.load(r1);
            Simd.store(a, to);
            Simd.store(a.add(b), to + length);
            Simd.store(a.sub(b), to + 2 * length);
            Simd.store(Simd.ZERO.sub(b), to + 3 * length);
            r0 += step;
            r1 += step;
            to += VECTOR;
        }
    }

    private static void gradientColumns16(long r0, long r1, long to, long length, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = Simd.loadBf16(r0);
            FloatVector b = Simd.loadBf16(r1);
            Simd.store(a, to);
            Simd.store(a.add(b), to + length);
            Simd.store(a.sub(b), to + 2 * length);
            Simd.store(Simd.ZERO.sub(b), to + 3 * length);
            r0 += step;
            r1 += step;
            to += VECTOR;
        }
    }

    private static void gradientRows(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = Simd.load(from);
            FloatVector b = Simd.load(from + VECTOR);
            Simd.store(a, to);
            Simd.store(a.add(b), to + place);
            Simd.store(a.sub(b), to + 2 * place);
            Simd.store(Simd.ZERO.sub(b), to + 3 * place);
            from += 2 * VECTOR;
            to += step;
        }
    }

    private static void gradientRows16(long from, long to, long place, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector a = Simd.load(from);
            FloatVector b = Simd.load(from + VECTOR);
            Simd.storeBf16(a, to);
            Simd.storeBf16(a.add(b), to + place);
            Simd.storeBf16(a.sub(b), to + 2 * place);
            Simd.storeBf16(Simd.ZERO.sub(b), to + 3 * place);
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
                resultRows16(strip, to, shape.w(), pixelBytes());
            } else {
                resultRows(strip, to, shape.w(), pixelBytes());
            }
        }
    }

    /** Both sums of one of a tile's columns, and so eight vectors a tile. */
    private static void resultColumns(long from, long place, long to, int count, int step) {
        for (int i = 0; i < count; i++) {
            FloatVector b = Simd.load(from + place);
            FloatVector c = Simd.load(from + 2 * place);
            Simd.store(Simd.load(from).add(b).add(c), to);
            Simd.store(b.sub(c).sub(Simd.load(from + 3 * place)), to + 4 * VECTOR);
            from += step;
            to += 8 * VECTOR;
        }
    }

    private static void resultRows(long from, long to, int width, int step) {
        for (int left = width; left > 0; left -= 2) {
            FloatVector b = Simd.load(from + VECTOR);
            FloatVector c = Simd.load(from + 2 * VECTOR);
            Simd.store(Simd.load(from).add(b).add(c), to);
            if (left > 1) {
                Simd.store(b.sub(c).sub(Simd.load(from + 3 * VECTOR)), to + step);
            }
            from += 8 * VECTOR;
            to += 2 * step;
        }
    }

    private static void resultRows16(long from, long to, int width, int step) {
        for (int left = width; left > 0; left -= 2) {
            FloatVector b = Simd.load(from + VECTOR);
            FloatVector c = Simd.load(from + 2 * VECTOR);
            Simd.storeBf16(Simd.load(from).add(b).add(c), to);
            if (left > 1) {
                Simd.storeBf16(b.sub(c).sub(Simd.load(from + 3 * VECTOR)), to + step);
            }
            from += 8 * VECTOR;
            to += 2 * step;
        }
    }
}
