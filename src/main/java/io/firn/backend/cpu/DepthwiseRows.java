package io.firn.backend.cpu;

import jdk.incubator.vector.FloatVector;

/**
 * The inner loops of {@link DepthwiseWgrad}: one row of a kernel's taps over a band of f32 rows, each tap's sum in a
 * register. {@code sums} from {@code at} on receives the taps, 16 floats apart.
 */
final class DepthwiseRows {
    private static final int PIXEL = Frame.VECTOR;

    private DepthwiseRows() {
    }

    static void three(long x, long dy, int rows, int width, long rowStep, long step, float[] sums, int at) {
        FloatVector a0 = FloatVector.zero(Simd.F), a1 = FloatVector.zero(Simd.F), a2 = FloatVector.zero(Simd.F);
        for (int r = 0; r < rows; r++) {
            long p = x + r * rowStep;
            long q = dy + (long) r * width * PIXEL;
            for (int i = 0; i < width; i++) {
                FloatVector g = Simd.load(q + (long) i * PIXEL);
                long xi = p + i * step;
                a0 = Simd.load(xi).fma(g, a0);
                a1 = Simd.load(xi + PIXEL).fma(g, a1);
                a2 = Simd.load(xi + 2 * PIXEL).fma(g, a2);
            }
        }
        a0.intoArray(sums, at);
        a1.intoArray(sums, at + 16);
        a2.intoArray(sums, at + 32);
    }

    static void five(long x, long dy, int rows, int width, long rowStep, long step, float[] sums, int at) {
        FloatVector a0 = FloatVector.zero(Simd.F), a1 = FloatVector.zero(Simd.F), a2 = FloatVector.zero(Simd.F);
        FloatVector a3 = FloatVector.zero(Simd.F), a4 = FloatVector.zero(Simd.F);
        for (int r = 0; r < rows; r++) {
            long p = x + r * rowStep;
            long q = dy + (long) r * width * PIXEL;
            for (int i = 0; i < width; i++) {
                FloatVector g = Simd.load(q + (long) i * PIXEL);
                long xi = p + i * step;
                a0 = Simd.load(xi).fma(g, a0);
                a1 = Simd.load(xi + PIXEL).fma(g, a1);
                a2 = Simd.load(xi + 2 * PIXEL).fma(g, a2);
                a3 = Simd.load(xi + 3 * PIXEL).fma(g, a3);
                a4 = Simd.load(xi + 4 * PIXEL).fma(g, a4);
            }
        }
        a0.intoArray(sums, at);
        a1.intoArray(sums, at + 16);
        a2.intoArray(sums, at + 32);
        a3.intoArray(sums, at + 48);
        a4.intoArray(sums, at + 64);
    }

    static void seven(long x, long dy, int rows, int width, long rowStep, long step, float[] sums, int at) {
        FloatVector a0 = FloatVector.zero(Simd.F), a1 = FloatVector.zero(Simd.F), a2 = FloatVector.zero(Simd.F);
        FloatVector a3 = FloatVector.zero(Simd.F), a4 = FloatVector.zero(Simd.F), a5 = FloatVector.zero(Simd.F);
        FloatVector a6 = FloatVector.zero(Simd.F);
        for (int r = 0; r < rows; r++) {
            long p = x + r * rowStep;
            long q = dy + (long) r * width * PIXEL;
            for (int i = 0; i < width; i++) {
                FloatVector g = Simd.load(q + (long) i * PIXEL);
                long xi = p + i * step;
                a0 = Simd.load(xi).fma(g, a0);
                a1 = Simd.load(xi + PIXEL).fma(g, a1);
                a2 = Simd.load(xi + 2 * PIXEL).fma(g, a2);
                a3 = Simd.load(xi + 3 * PIXEL).fma(g, a3);
                a4 = Simd.load(xi + 4 * PIXEL).fma(g, a4);
                a5 = Simd.load(xi + 5 * PIXEL).fma(g, a5);
                a6 = Simd.load(xi + 6 * PIXEL).fma(g, a6);
            }
        }
        a0.intoArray(sums, at);
        a1.intoArray(sums, at + 16);
        a2.intoArray(sums, at + 32);
        a3.intoArray(sums, at + 48);
        a4.intoArray(sums, at + 64);
        a5.intoArray(sums, at + 80);
        a6.intoArray(sums, at + 96);
    }
}
