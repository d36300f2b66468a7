package io.firn.backend.cpu;

import io.firn.graph.Convolution;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The weight gradient of a first convolution over gray images in bf16, for which the library has only its reference code:
 * x bf16 [N,1,H,W], dy bf16 [N,O,H',W'] → dw f32 [O,1,K,K]. A vector of filters at a time: each pixel of x
 * meets a vector of dy. Sums are f32 within a sample and double beyond.
 */
final class GrayWgrad implements Runnable {
    private final Tensor x;
    private final Tensor dy;
    private final Tensor dw;
    private final Workers workers;
    private final Convolution.Wgrad op;
    private final int vectors;
    private final int ranges;
    /** From one pixel of dy to the next. */
    private final long pixelBytes;
    /** By range, vector of filters, tap and lane. */
    private final double[] partials;
    private final float[][] sums;
    private final Workers.Task task = this::run;

    GrayWgrad(Convolution.Wgrad op, Tensor x, Tensor dy, Tensor dw, Workers workers) {
        if (op.groups() != 1 || x.type().shape().c() != 1) {
            throw new IllegalArgumentException("%s of %s and %s".formatted(op, x, dy));
        }
        this.op = op;
        this.x = x;
        this.dy = dy;
        this.dw = dw;
        this.workers = workers;
        vectors = Math.ceilDiv(dy.type().shape().c(), Simd.LANES);
        pixelBytes = 2L * (dy.layout().equals(Layout.BLOCKED16) ? Layout.Blocked16.BLOCK : dy.type().shape().c());
        ranges = Math.min(x.type().shape().n(), 2 * workers.threads());
        partials = new double[ranges * vectors * taps() * Simd.LANES];
        sums = new float[workers.threads()][taps() * Simd.LANES];
    }

    private int taps() {
        return op.kernel() * op.kernel();
    }

    @Override
    public void run() {
        Arrays.fill(partials, 0);
        workers.run(vectors * ranges, task);
        for (int o = 0; o < dy.type().shape().c(); o++) {
            for (int tap = 0; tap < taps(); tap++) {
                double sum = 0;
                for (int r = 0; r < ranges; r++) {
                    sum += partials[place(r, o / Simd.LANES, tap) + o % Simd.LANES];
                }
                Native.putFloat(dw.address() + 4L * (o * taps() + tap), (float) sum);
            }
        }
    }

    private int place(int range, int vector, int tap) {
        return ((range * vectors + vector) * taps() + tap) * Simd.LANES;
    }

    private void run(int index, int thread) {
        int range = index / vectors;
        int vector = index % vectors;
        int samples = x.type().shape().n();
        float[] s = sums[thread];
        int end = (int) ((long) samples * (range + 1) / ranges);
        for (int n = (int) ((long) samples * range / ranges); n < end; n++) {
            Arrays.fill(s, 0);
            sample(n, vector * Simd.LANES, s);
            int at = place(range, vector, 0);
            for (int i = 0; i < s.length; i++) {
                partials[at + i] += s[i];
            }
        }
    }

    /** Adds one sample's gradient of the filters from {@code o} on; a row of dy stays in the first-level cache. */
    private void sample(int n, int o, float[] s) {
        Shape in = x.type().shape();
        Shape out = dy.type().shape();
        int k = op.kernel();
        int lanes = Math.min(Simd.LANES, out.c() - o);
        for (int oh = 0; oh < out.h(); oh++) {
            long g = dy.address() + 2 * dy.layout().offset(out, n, o, oh, 0);
            for (int kh = 0; kh < k; kh++) {
                int ih = oh * op.stride() - op.padding() + kh;
                if (ih < 0 || ih >= in.h()) {
                    continue;
                }
                long row = x.address() + 2 * ((long) n * in.area() + (long) ih * in.w());
                for (int kw = 0; kw < k; kw++) {
                    int left = kw - op.padding();
                    int first = left < 0 ? Math.ceilDiv(-left, op.stride()) : 0;
                    int last = Math.min(out.w() - 1, Math.floorDiv(in.w() - 1 - left, op.stride()));
                    tap(row + 2L * left, g, first, last, 2L * op.stride(), lanes, s,
                            (kh * k + kw) * Simd.LANES);
                }
            }
        }
    }

    private void tap(long row, long g, int first, int last, long step, int lanes, float[] s, int at) {
        FloatVector even = FloatVector.fromArray(Simd.F, s, at);
        FloatVector odd = FloatVector.zero(Simd.F);
        if (lanes < Simd.LANES) {
            for (int ow = first; ow <= last; ow++) {
                even = pixel(row + ow * step).fma(Simd.loadPart(g + pixelBytes * ow, lanes, true), even);
            }
        } else {
            int ow = first;
            for (; ow < last; ow += 2) {
                even = pixel(row + ow * step).fma(Simd.loadBf16(g + pixelBytes * ow), even);
                odd = pixel(row + (ow + 1) * step).fma(Simd.loadBf16(g + pixelBytes * (ow + 1)), odd);
            }
            if (ow == last) {
                even = pixel(row + ow * step).fma(Simd.loadBf16(g + pixelBytes * ow), even);
            }
        }
        even.add(odd).intoArray(s, at);
    }

    private static FloatVector pixel(long address) {
        return FloatVector.broadcast(Simd.F, Float.intBitsToFloat(Native.getShort(address) << 16));
    }
}
