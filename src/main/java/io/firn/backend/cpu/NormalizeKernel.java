package io.firn.backend.cpu;

import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;

/**
 * Pixels [N,H,W,C] in bytes to normalised activations, in either layout: a table of 256 values a channel, an image row
 * a task. The channels that pad a block become zero.
 */
final class NormalizeKernel implements Runnable {
    private final Tensor pixels;
    private final Tensor out;
    private final Workers workers;
    private final float[][] table;
    private final short[][] halfTable;
    private final Workers.Task task = (row, thread) -> row(row);

    NormalizeKernel(Conversion.Normalize op, Tensor pixels, Tensor out, Workers workers) {
        if (!pixels.layout().equals(Layout.NHWC) || out.layout() instanceof Layout.Opaque) {
            throw new IllegalArgumentException("cannot normalise %s to %s".formatted(pixels, out));
        }
        this.pixels = pixels;
        this.out = out;
        this.workers = workers;
        int channels = op.mean().size();
        table = new float[channels][256];
        halfTable = new short[channels][256];
        for (int c = 0; c < channels; c++) {
            for (int v = 0; v < 256; v++) {
                table[c][v] = (float) ((v / 255.0 - op.mean().get(c)) / op.std().get(c));
                halfTable[c][v] = DType.floatToBf16(table[c][v]);
            }
        }
    }

    @Override
    public void run() {
        Shape s = pixels.type().shape();
        workers.run(s.n() * s.h(), task);
    }

    private void row(int row) {
        Shape s = pixels.type().shape();
        int n = row / s.h();
        int h = row % s.h();
        int bytes = out.type().dtype().bytes();
        boolean blocked = out.layout().equals(Layout.BLOCKED16);
        int pixelBytes = bytes * switch (out.layout()) {
            case Layout.Blocked16 b -> Layout.Blocked16.BLOCK;
            case Layout.Nhwc last -> s.c();
            case Layout.Dense d -> 1;
            case Layout.Opaque o -> throw new IllegalStateException(o.label());
        };
        for (int c = 0; c < s.c(); c++) {
            long from = pixels.address() + ((long) row * s.w()) * s.c() + c;
            long to = out.address() + out.layout().offset(s, n, c, h, 0) * bytes;
            if (blocked && c % 16 == 0 && s.c() - c < 16) {
                Native.zero(to, (long) s.w() * pixelBytes);
            }
            if (bytes == 2) {
                short[] t = halfTable[c];
                for (int w = 0; w < s.w(); w++) {
                    Native.putShort(to + (long) w * pixelBytes, t[Native.getByte(from + (long) w * s.c())]);
                }
            } else {
                float[] t = table[c];
                for (int w = 0; w < s.w(); w++) {
                    Native.putFloat(to + (long) w * pixelBytes, t[Native.getByte(from + (long) w * s.c())]);
                }
            }
        }
    }
}
