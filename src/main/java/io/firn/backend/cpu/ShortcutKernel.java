package io.firn.backend.cpu;

import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.List;

/** A parameter-free shortcut or its gradient, in either layout: a sample a task, zeroed first and then partly copied. */
final class ShortcutKernel implements Runnable {
    /** Channels that lie side by side on both sides: the first on each, and how many. */
    private record Run(int wide, int narrow, int length) {
    }

    private final Tensor in;
    private final Tensor out;
    private final Workers workers;
    private final int stride;
    private final boolean gradient;
    private final List<Run> runs = new ArrayList<>();
    private final Workers.Task task = (n, thread) -> sample(n);

    ShortcutKernel(Shortcut op, Tensor in, Tensor out, Workers workers) {
        this.in = in;
        this.out = out;
        this.workers = workers;
        gradient = op instanceof Shortcut.PadGrad;
        stride = switch (op) {
            case Shortcut.Pad p -> p.stride();
            case Shortcut.PadGrad p -> p.stride();
        };
        boolean explicit = in.layout().equals(Layout.NHWC) || in.layout().equals(Layout.BLOCKED16);
        if (!explicit || !in.layout().equals(out.layout()) || in.type().dtype() != out.type().dtype()) {
            throw new IllegalArgumentException("%s from %s to %s".formatted(op, in, out));
        }
        int narrow = narrow().type().shape().c();
        int before = (wide().type().shape().c() - narrow) / 2;
        int block = in.layout().equals(Layout.BLOCKED16) ? 16 : Integer.MAX_VALUE;
        for (int c = 0; c < narrow; ) {
            int length = Math.min(narrow - c, Math.min(block - c % block, block - (before + c) % block));
            runs.add(new Run(before + c, c, length));
            c += length;
        }
    }

    /** The side with more channels and fewer pixels. */
    private Tensor wide() {
        return gradient ? in : out;
    }

    private Tensor narrow() {
        return gradient ? out : in;
    }

    @Override
    public void run() {
        workers.run(out.type().shape().n(), task);
    }

    private void sample(int n) {
        long bytes = out.layout().bytes(out.type()) / out.type().shape().n();
        Native.zero(out.address() + n * bytes, bytes);
        Shape wide = wide().type().shape();
        for (int i = 0; i < runs.size(); i++) {
            Run run = runs.get(i);
            for (int h = 0; h < wide.h(); h++) {
                for (int w = 0; w < wide.w(); w++) {
                    long a = address(wide(), n, run.wide, h, w);
                    long b = address(narrow(), n, run.narrow, h * stride, w * stride);
                    copy(gradient ? a : b, gradient ? b : a, run.length);
                }
            }
        }
    }

    private static long address(Tensor t, int n, int c, int h, int w) {
        return t.address() + t.layout().offset(t.type().shape(), n, c, h, w) * t.type().dtype().bytes();
    }

    private void copy(long from, long to, int length) {
        if (in.type().dtype().bytes() == 2) {
            for (int i = 0; i < length; i++) {
                Native.putShort(to + 2L * i, Native.getShort(from + 2L * i));
            }
        } else {
            for (int i = 0; i < length; i++) {
                Native.putFloat(to + 4L * i, Native.getFloat(from + 4L * i));
            }
        }
    }
}
