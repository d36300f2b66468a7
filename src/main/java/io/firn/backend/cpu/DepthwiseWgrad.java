package io.firn.backend.cpu;

import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.Arrays;

/**
 * The weight gradient of a depthwise convolution with a kernel of 3, 5 or 7, padding of half of it and any stride, for
 * which the library has no fast implementation: x [N,C,H,W], dy [N,C,H',W'] (f32 or bf16, NHWC or blocked) → dw f32
 * [C,1,K,K]. Bands of rows are copied to scratch as f32 with their borders of zeros, so that the inner loops know
 * neither type nor layout nor edge; sums are f32 within a band and double beyond.
 */
final class DepthwiseWgrad implements Runnable {
    private static final int PIXEL = Frame.VECTOR;
    /** Of a band's x: half of a second-level cache; and pixels that one f32 sum runs over. */
    private static final int BAND_BYTES = 128 << 10;
    private static final int BAND_PIXELS = 1024;

    private final Tensor x;
    private final Tensor dy;
    private final Tensor dw;
    private final Workers workers;
    private final Shape in;
    private final Shape out;
    private final int kernel;
    private final int stride;
    private final boolean blocked;
    private final int width;
    private final int groups;
    private final int ranges;
    private final int bandRows;
    private final int paddedWidth;
    private final long dyScratch;
    /** By range, channel vector, tap and lane. */
    private final double[] partials;
    private final float[][] sums;
    private final int vectors;
    private final Workers.Task task = this::run;

    DepthwiseWgrad(Convolution.Wgrad op, Tensor x, Tensor dy, Tensor dw, Workers workers) {
        if (!supports(op, x, dy)) {
            throw new IllegalArgumentException("%s of %s and %s".formatted(op, x, dy));
        }
        this.x = x;
        this.dy = dy;
        this.dw = dw;
        this.workers = workers;
        in = x.type().shape();
        out = dy.type().shape();
        kernel = op.kernel();
        stride = op.stride();
        blocked = x.layout() instanceof Layout.Blocked16;
        width = blocked ? 16 : StripRunner.WIDE;
        groups = Math.ceilDiv(in.c(), width);
        ranges = groups >= 2 * workers.threads() ? 1
                : Math.clamp(Math.ceilDiv(4L * workers.threads(), groups), 1, in.n());
        paddedWidth = (out.w() - 1) * stride + kernel;
        int byBytes = (BAND_BYTES / PIXEL / paddedWidth - kernel) / stride + 1;
        bandRows = Math.clamp(Math.min(byBytes, BAND_PIXELS / out.w()), 1, out.h());
        dyScratch = (long) ((bandRows - 1) * stride + kernel) * paddedWidth * PIXEL;
        workers.reserve(dyScratch + (long) bandRows * out.w() * PIXEL);
        vectors = Math.ceilDiv(in.c(), 16) * (16 / Simd.LANES);
        partials = new double[ranges * vectors * kernel * kernel * 16];
        sums = new float[workers.threads()][kernel * kernel * 16];
    }

    static boolean supports(Convolution.Wgrad op, Tensor x, Tensor dy) {
        return (op.kernel() == 3 || op.kernel() == 5 || op.kernel() == 7) && op.padding() == op.kernel() / 2
                && op.groups() == x.type().shape().c() && op.groups() == dy.type().shape().c()
                && x.layout().equals(dy.layout()) && (x.layout().equals(Layout.NHWC) || x.layout().equals(Layout.BLOCKED16))
                && isFloat(x) && isFloat(dy);
    }

    private static boolean isFloat(Tensor t) {
        return t.type().dtype() == DType.F32 || t.type().dtype() == DType.BF16;
    }

    @Override
    public void run() {
        Arrays.fill(partials, 0);
        workers.run(groups * ranges, task);
        int taps = kernel * kernel;
        for (int c = 0; c < in.c(); c++) {
            for (int tap = 0; tap < taps; tap++) {
                double sum = 0;
                for (int r = 0; r < ranges; r++) {
                    sum += partials[place(r, c / Simd.LANES, tap) + c % Simd.LANES];
                }
                Native.putFloat(dw.address() + 4L * (c * taps + tap), (float) sum);
            }
        }
    }

    private int place(int range, int vector, int tap) {
        return ((range * vectors + vector) * kernel * kernel + tap) * 16;
    }

    private void run(int task, int thread) {
        int range = task % ranges;
        int from = task / ranges * width;
        int to = Math.min(from + width, in.c());
        int end = (int) ((long) in.n() * (range + 1) / ranges);
        for (int n = (int) ((long) in.n() * range / ranges); n < end; n++) {
            for (int row = 0; row < out.h(); row += bandRows) {
                for (int c = from; c < to; c += Simd.LANES) {
                    band(n, c, row, Math.min(bandRows, out.h() - row), range, thread);
                }
            }
        }
    }

    /** Adds a band of output rows of one vector of channels to its partial sums. */
    private void band(int n, int c, int row, int rows, int range, int thread) {
        long xs = workers.scratch(thread);
        long gs = xs + dyScratch;
        int first = row * stride - kernel / 2;
        int xRows = (rows - 1) * stride + kernel;
        for (int i = 0; i < xRows; i++) {
            long to = xs + (long) i * paddedWidth * PIXEL;
            if (first + i >= 0 && first + i < in.h()) {
                int left = kernel / 2;
                int pixels = Math.min(in.w(), paddedWidth - left);
                zero(to, left);
                copy(x, n, c, first + i, pixels, to + (long) left * PIXEL);
                zero(to + (long) (left + pixels) * PIXEL, paddedWidth - left - pixels);
            } else {
                zero(to, paddedWidth);
            }
        }
        for (int i = 0; i < rows; i++) {
            copy(dy, n, c, row + i, out.w(), gs + (long) i * out.w() * PIXEL);
        }
        float[] s = sums[thread];
        long xRow = (long) paddedWidth * PIXEL;
        long step = (long) stride * PIXEL;
        for (int kh = 0; kh < kernel; kh++) {
            int tap = kh * kernel * 16;
            switch (kernel) {
                case 3 -> DepthwiseRows.three(xs + kh * xRow, gs, rows, out.w(), xRow * stride, step, s, tap);
                case 5 -> DepthwiseRows.five(xs + kh * xRow, gs, rows, out.w(), xRow * stride, step, s, tap);
                default -> DepthwiseRows.seven(xs + kh * xRow, gs, rows, out.w(), xRow * stride, step, s, tap);
            }
        }
        int at = place(range, c / Simd.LANES, 0);
        for (int i = 0; i < s.length; i++) {
            partials[at + i] += s[i];
        }
    }

    private static void zero(long to, int pixels) {
        for (int i = 0; i < pixels; i++) {
            Simd.store(Simd.ZERO, to + (long) i * PIXEL);
        }
    }

    /** Copies the first pixels of a row to scratch as f32. */
    private void copy(Tensor t, int n, int c, int row, int pixels, long to) {
        Shape s = t.type().shape();
        boolean bf16 = t.type().dtype() == DType.BF16;
        int bytes = t.type().dtype().bytes();
        long pixel = (long) bytes * (blocked ? 16 : s.c());
        long element = blocked ? (((long) n * Math.ceilDiv(s.c(), 16) + c / 16) * s.area() + (long) row * s.w()) * 16 + c % 16
                : ((long) n * s.area() + (long) row * s.w()) * s.c() + c;
        long from = t.address() + element * bytes;
        int lanes = s.c() - c;
        if (!blocked && lanes < Simd.LANES) {
            StripRunner.copyIn(to, from, pixel, pixels, lanes, bf16);
        } else if (bf16) {
            for (int i = 0; i < pixels; i++) {
                Simd.store(Simd.loadBf16(from + i * pixel), to + (long) i * PIXEL);
            }
        } else {
            for (int i = 0; i < pixels; i++) {
                Simd.store(Simd.load(from + i * pixel), to + (long) i * PIXEL);
            }
        }
    }
}
