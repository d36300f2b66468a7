package io.firn.backend;

import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Buffer;
import io.firn.plan.Layout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Tensors in host memory, element by element. */
public final class Elements {
    private Elements() {
    }

    /**
     * A buffer's elements in logical row-major order.
     *
     * @param memory what lies in the buffer, in its layout, which is not opaque
     */
    public static double[] read(MemorySegment memory, Buffer b) {
        Shape s = b.type().shape();
        DType dtype = b.type().dtype();
        double[] values = new double[Math.toIntExact(s.elements())];
        if (s.rank() != 4 || b.layout().equals(Layout.DENSE)) {
            for (int i = 0; i < values.length; i++) {
                values[i] = element(memory, dtype, i);
            }
            return values;
        }
        int i = 0;
        for (int n = 0; n < s.n(); n++) {
            for (int c = 0; c < s.c(); c++) {
                for (int h = 0; h < s.h(); h++) {
                    for (int w = 0; w < s.w(); w++) {
                        values[i++] = element(memory, dtype, b.layout().offset(s, n, c, h, w));
                    }
                }
            }
        }
        return values;
    }

    private static double element(MemorySegment memory, DType type, long i) {
        return switch (type) {
            case F32 -> memory.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            case BF16 -> DType.bf16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i));
            case F16 -> Float.float16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i));
            case U8 -> memory.get(ValueLayout.JAVA_BYTE, i) & 0xFF;
            case I32 -> memory.getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i);
        };
    }

    /**
     * Refuses floats that are not as many as the dense f32 buffer holds.
     *
     * @throws IllegalArgumentException that says both
     */
    public static void check(Buffer b, float[] data) {
        if (b.type().dtype() != DType.F32 || b.layout() != Layout.DENSE || b.type().shape().elements() != data.length) {
            throw new IllegalArgumentException("%d floats for %s".formatted(data.length, b));
        }
    }
}
