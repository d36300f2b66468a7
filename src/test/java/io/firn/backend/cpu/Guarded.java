package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A tensor in native memory between two canaries, written and read in logical order whatever its layout and type. */
final class Guarded {
    private static final int CANARY = 256;
    private static final byte MARK = 0x5A;

    final Tensor tensor;
    private final MemorySegment whole;
    private final MemorySegment body;

    /** Poisoned: every element is NaN (or 255), the padding too. */
    Guarded(Arena arena, Type type, Layout layout) {
        long bytes = layout.bytes(type);
        whole = arena.allocate(bytes + 2 * CANARY, 64).fill(MARK);
        body = whole.asSlice(CANARY, bytes).fill((byte) 0xFF);
        tensor = new Tensor(body.address(), type, layout);
    }

    /** With elements; the padding is zero. */
    Guarded(Arena arena, Type type, Layout layout, double[] elements) {
        this(arena, type, layout);
        body.fill((byte) 0);
        for (int i = 0; i < elements.length; i++) {
            long at = place(i) * type.dtype().bytes();
            switch (type.dtype()) {
                case F32 -> body.set(ValueLayout.JAVA_FLOAT, at, (float) elements[i]);
                case BF16 -> body.set(ValueLayout.JAVA_SHORT, at, DType.floatToBf16((float) elements[i]));
                case U8 -> body.set(ValueLayout.JAVA_BYTE, at, (byte) elements[i]);
                case I32 -> body.set(ValueLayout.JAVA_INT, at, (int) elements[i]);
                case F16 -> throw new UnsupportedOperationException();
            }
        }
    }

    /** The elements, after checking that nothing around them changed and that padding is zero. */
    double[] read() {
        check();
        double[] x = new double[(int) tensor.type().shape().elements()];
        boolean[] used = new boolean[(int) (body.byteSize() / tensor.type().dtype().bytes())];
        for (int i = 0; i < x.length; i++) {
            used[(int) place(i)] = true;
            x[i] = element(place(i));
        }
        for (int i = 0; i < used.length; i++) {
            assertThat(used[i] || element(i) == 0).as("padding element %d of %s is %s", i, tensor, used[i] ? 0 : element(i)).isTrue();
        }
        return x;
    }

    void check() {
        for (int i = 0; i < CANARY; i++) {
            boolean intact = whole.get(ValueLayout.JAVA_BYTE, i) == MARK
                    && whole.get(ValueLayout.JAVA_BYTE, whole.byteSize() - 1 - i) == MARK;
            assertThat(intact).as("canary %d around %s", i, tensor).isTrue();
        }
    }

    private double element(long place) {
        long at = place * tensor.type().dtype().bytes();
        return switch (tensor.type().dtype()) {
            case F32 -> body.get(ValueLayout.JAVA_FLOAT, at);
            case BF16 -> DType.bf16ToFloat(body.get(ValueLayout.JAVA_SHORT, at));
            case U8 -> body.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
            case I32 -> body.get(ValueLayout.JAVA_INT, at);
            case F16 -> throw new UnsupportedOperationException();
        };
    }

    private long place(int i) {
        Shape s = tensor.type().shape();
        if (s.rank() != 4) {
            return i;
        }
        int w = i % s.w();
        int h = i / s.w() % s.h();
        int c = i / s.area() % s.c();
        return tensor.layout().offset(s, i / s.area() / s.c(), c, h, w);
    }
}
