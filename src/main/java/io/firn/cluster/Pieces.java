package io.firn.cluster;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Pieces of memory taken as one: what lies at an offset of the whole is copied, or floats are added to it. */
final class Pieces {
    private final MemorySegment[] pieces;
    /** Offset of the whole at which each piece begins, and the size of all. */
    private final long[] starts;

    Pieces(List<MemorySegment> list) {
        pieces = list.toArray(MemorySegment[]::new);
        starts = new long[pieces.length + 1];
        for (int i = 0; i < pieces.length; i++) {
            starts[i + 1] = starts[i] + pieces[i].byteSize();
        }
    }

    /** Bytes of all. */
    long bytes() {
        return starts[pieces.length];
    }

    void copyTo(long from, MemorySegment to, long toOffset, long bytes) {
        for (int i = piece(from); bytes > 0; i++) {
            long n = Math.min(bytes, starts[i + 1] - from);
            MemorySegment.copy(pieces[i], from - starts[i], to, toOffset, n);
            from += n;
            toOffset += n;
            bytes -= n;
        }
    }

    void copyFrom(MemorySegment from, long fromOffset, long to, long bytes) {
        for (int i = piece(to); bytes > 0; i++) {
            long n = Math.min(bytes, starts[i + 1] - to);
            MemorySegment.copy(from, fromOffset, pieces[i], to - starts[i], n);
            to += n;
            fromOffset += n;
            bytes -= n;
        }
    }

    /** Adds whole floats. */
    void add(MemorySegment from, long fromOffset, long to, long bytes) {
        for (int i = piece(to); bytes > 0; i++) {
            long n = Math.min(bytes, starts[i + 1] - to);
            add(from.asSlice(fromOffset, n), pieces[i].asSlice(to - starts[i], n), (int) (n / 4));
            to += n;
            fromOffset += n;
            bytes -= n;
        }
    }

    private static void add(MemorySegment from, MemorySegment to, int count) {
        for (int i = 0; i < count; i++) {
            to.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, to.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i)
                    + from.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i));
        }
    }

    /** Multiplies the floats from {@code from} on. */
    void scale(long from, long bytes, float factor) {
        for (int i = piece(from); bytes > 0; i++) {
            long n = Math.min(bytes, starts[i + 1] - from);
            MemorySegment floats = pieces[i].asSlice(from - starts[i], n);
            for (int j = 0; j < n / 4; j++) {
                floats.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, j,
                        floats.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, j) * factor);
            }
            from += n;
            bytes -= n;
        }
    }

    private int piece(long offset) {
        int i = 0;
        while (i + 1 < pieces.length && starts[i + 1] <= offset) {
            i++;
        }
        return i;
    }
}
