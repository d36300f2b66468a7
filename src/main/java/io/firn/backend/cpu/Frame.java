package io.firn.backend.cpu;

/** What one thread's strip loops work on at the moment: where the operands' first pixels lie, coefficients and sums. */
final class Frame {
    /** Bytes between the pixels of a strip: 16 floats, whatever the vector length. */
    static final int VECTOR = 64;

    /** Address of each slot's first pixel, and bytes from pixel to pixel. */
    final long[] address;
    final long[] stride;
    /** Sums of the last loop, in f32: two vectors, the second from 16 on. */
    final float[] sums = new float[32];
    /** Coefficient vectors, and where those of the channels at hand begin. */
    final float[] coefficients;
    int offset;
    /** Sums of the pass so far, as {@link FusedKernel} arranges them. */
    final double[] totals;

    Frame(int slots, int coefficients, int totals) {
        address = new long[slots];
        stride = new long[slots];
        this.coefficients = new float[coefficients];
        this.totals = new double[totals];
    }
}
