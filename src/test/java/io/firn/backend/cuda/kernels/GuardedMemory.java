package io.firn.backend.cuda.kernels;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/** One operand between two guards, all bytes 0xFF at first: NaN in every float type, so that reading them shows. */
final class GuardedMemory {
    private static final int GUARD = 256;
    private static final byte POISON = (byte) 0xFF;

    private final MemorySegment all;
    private final long bytes;

    GuardedMemory(Arena arena, long bytes) {
        this.bytes = bytes;
        all = arena.allocate(bytes + 2 * GUARD, 64).fill(POISON);
    }

    long address() {
        return all.address() + GUARD;
    }

    MemorySegment inner() {
        return all.asSlice(GUARD, bytes);
    }

    boolean guardsHold() {
        for (long i = 0; i < GUARD; i++) {
            if (all.get(ValueLayout.JAVA_BYTE, i) != POISON || all.get(ValueLayout.JAVA_BYTE, GUARD + bytes + i) != POISON) {
                return false;
            }
        }
        return true;
    }

    /** Place of an element in memory, from its place in logical row-major order. */
    private static long place(Type type, Layout layout, int i) {
        Shape s = type.shape();
        if (s.rank() != 4) {
            return i;
        }
        int w = i % s.w();
        int h = i / s.w() % s.h();
        int c = i / s.area() % s.c();
        return layout.offset(s, i / s.area() / s.c(), c, h, w);
    }

    void write(Type type, Layout layout, double[] x) {
        MemorySegment m = inner();
        for (int i = 0; i < x.length; i++) {
            long at = place(type, layout, i);
            switch (type.dtype()) {
                case F32 -> m.setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) x[i]);
                case BF16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, at, DType.floatToBf16((float) x[i]));
                case F16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16((float) x[i]));
                case U8 -> m.set(ValueLayout.JAVA_BYTE, at, (byte) (int) x[i]);
                case I32 -> m.setAtIndex(ValueLayout.JAVA_INT, at, (int) x[i]);
            }
        }
    }

    /** Whether channels are 0 that the layout has and the type has not. */
    boolean paddingIsZero(Type type, Layout layout) {
        Shape s = type.shape();
        if (s.rank() != 4 || !(layout instanceof Layout.Nhwc last) || last.row(s) == s.c()) {
            return true;
        }
        Type padded = new Type(type.dtype(), Shape.of(s.n(), last.row(s), s.h(), s.w()));
        double[] x = read(padded, layout);
        return IntStream.range(0, x.length).allMatch(i -> i / s.area() % last.row(s) < s.c() || x[i] == 0);
    }

    double[] read(Type type, Layout layout) {
        MemorySegment m = inner();
        double[] x = new double[(int) type.shape().elements()];
        for (int i = 0; i < x.length; i++) {
            long at = place(type, layout, i);
            x[i] = switch (type.dtype()) {
                case F32 -> m.getAtIndex(ValueLayout.JAVA_FLOAT, at);
                case BF16 -> DType.bf16ToFloat(m.getAtIndex(ValueLayout.JAVA_SHORT, at));
                case F16 -> Float.float16ToFloat(m.getAtIndex(ValueLayout.JAVA_SHORT, at));
                case U8 -> m.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
                case I32 -> m.getAtIndex(ValueLayout.JAVA_INT, at);
            };
        }
        return x;
    }
}
