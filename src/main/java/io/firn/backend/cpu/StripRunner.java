package io.firn.backend.cpu;

import io.firn.graph.Shape;
import io.firn.graph.Type;
import java.util.Arrays;
import java.util.List;

/** Takes a group of channels through a range of samples, strip by strip, vector of channels by vector of channels. */
final class StripRunner {
    /** Channels that are worked on together where they lie side by side (NHWC): whole cache lines of any type. */
    static final int WIDE = 64;
    private static final int LONG = 256;
    private static final int SHORT = 64;
    private static final int FEWEST = 16;
    /** Strips that a channel has at least, if they are not to be too short. */
    private static final int AVERAGED = 16;
    private static final int PIVOT_PIXELS = 16;
    /** Doubles of a reduction's two sums for one vector of channels. */
    private static final int SUMS = 32;

    private final List<FusedProgram.Pass> passes;
    private final List<Reduction> reductions;
    private final Slots slots;
    private final Workers workers;
    private final Frame[] frames;
    private final float[][] survival;
    private final Shape shape;
    private final boolean blocked;
    private final int ranges;
    private final int width;
    private final int strips;
    private final int longest;
    /** Vectors of channels that a full group has. */
    private final int most;

    StripRunner(FusedProgram program, Workers workers, float[][] survival, int ranges, int width) {
        passes = program.passes();
        reductions = program.reductions();
        slots = program.slots();
        this.workers = workers;
        this.survival = survival;
        this.ranges = ranges;
        this.width = width;
        Type x = program.activation();
        shape = x == null ? Shape.of(1, program.channels(), 1, 1) : x.shape();
        blocked = program.blocked();
        strips = x == null ? 1 : strips(program);
        longest = Math.ceilDiv(shape.area(), strips);
        most = Math.ceilDiv(Math.min(width, blocked ? 16 : shape.c()), Simd.LANES);
        int coefficients = passes.stream().mapToInt(p -> p.coefficients().size()).max().orElse(0);
        frames = new Frame[workers.threads()];
        for (int i = 0; i < frames.length; i++) {
            frames[i] = new Frame(slots.size(), coefficients * most, reductions.size() * most * SUMS);
        }
        workers.reserve((long) slots.size() * longest * Frame.VECTOR);
    }

    /**
     * Strips that a map is cut into: short where several loops share the cache, and where a channel has so few pixels that
     * the errors of its strips' sums, which are in f32, would not average out.
     */
    static int strips(FusedProgram program) {
        boolean single = program.passes().stream().allMatch(p -> p.steps().size() <= 1);
        Shape s = program.activation().shape();
        long few = Math.max(FEWEST, (long) s.n() * s.area() / AVERAGED);
        return Math.ceilDiv(s.area(), (int) Math.min(few, single && program.blocked() ? LONG : SHORT));
    }

    int firstChannel(int group) {
        return group * width;
    }

    /** One pass over one range of one group's samples. */
    void run(int pass, int group, int range, int thread) {
        FusedProgram.Pass p = passes.get(pass);
        Frame f = frames[thread];
        int from = firstChannel(group);
        int to = Math.min(from + width, blocked ? Math.ceilDiv(shape.c(), 16) * 16 : shape.c());
        int vectors = Math.ceilDiv(to - from, Simd.LANES);
        Arrays.fill(f.totals, 0);
        for (int j = 0; j < vectors; j++) {
            int c = from + j * Simd.LANES;
            p.coefficients().fillChannels(f, j * p.coefficients().size(), c, shape.c() - c);
        }
        boolean whole = p.perSample(reductions);
        long units = whole ? shape.n() : (long) shape.n() * strips;
        int first = (int) (units * range / ranges) * (whole ? strips : 1);
        int end = (int) (units * (range + 1) / ranges) * (whole ? strips : 1);
        long count = 0;
        for (int i = first; i < end; i++) {
            int n = i / strips;
            int s = i % strips;
            int pixel = (int) ((long) shape.area() * s / strips);
            int pixels = (int) ((long) shape.area() * (s + 1) / strips) - pixel;
            count += pixels;
            for (int j = 0; j < vectors; j++) {
                int c = from + j * Simd.LANES;
                f.offset = j * p.coefficients().size();
                if (s == 0 || i == first) {
                    p.coefficients().fillSample(f, f.offset, c, shape.c() - c, n, survival);
                }
                strip(p, f, n, c, pixel, pixels, j, i == first, range, thread);
            }
            if (whole && s == strips - 1) {
                endSample(p, f, n, from, vectors);
            }
        }
        for (int k = 0; k < p.reductions().size(); k++) {
            int r = p.reductions().get(k);
            for (int j = 0; j < vectors && !reductions.get(r).perSample; j++) {
                reductions.get(r).partial(range, from + j * Simd.LANES, Simd.LANES, f.totals, totals(r, j), count);
            }
        }
    }

    private int totals(int reduction, int vector) {
        return (reduction * most + vector) * SUMS;
    }

    private void endSample(FusedProgram.Pass p, Frame f, int n, int from, int vectors) {
        for (int k = 0; k < p.reductions().size(); k++) {
            int r = p.reductions().get(k);
            for (int j = 0; j < vectors && reductions.get(r).perSample; j++) {
                int at = totals(r, j);
                reductions.get(r).sample(n, from + j * Simd.LANES, Simd.LANES, f.totals, at);
                Arrays.fill(f.totals, at, at + SUMS, 0);
            }
        }
    }

    /** Runs all loops of a pass on one vector of channels of one strip. */
    private void strip(FusedProgram.Pass p, Frame f, int n, int c, int pixel, int pixels, int vector, boolean first,
                       int range, int thread) {
        boolean edge = !blocked && c + Simd.LANES > shape.c();
        int lanes = shape.c() - c;
        long scratch = workers.scratch(thread);
        for (int slot = 0; slot < slots.size(); slot++) {
            if (slots.isStrip(slot) || edge) {
                f.address[slot] = scratch + (long) slot * longest * Frame.VECTOR;
                f.stride[slot] = Frame.VECTOR;
            } else {
                f.address[slot] = address(slot, n, c, pixel);
                f.stride[slot] = pixelStride(slot);
            }
        }
        if (edge) {
            for (int slot : p.loaded()) {
                copyIn(f.address[slot], address(slot, n, c, pixel), pixelStride(slot), pixels, lanes, slots.bf16(slot));
            }
        }
        for (int i = 0; i < p.steps().size(); i++) {
            Step step = p.steps().get(i);
            if (first && step.pivot() != null) {
                pivot(edge ? step.edgePivot() : step.pivot(), step, f, range, c, pixels);
            }
            (edge ? step.edge() : step.loop()).run(f, step, pixels);
            if (step.reduction() >= 0) {
                add(f, totals(step.reduction(), vector));
            }
        }
        if (edge) {
            for (int slot : p.stored()) {
                copyOut(f.address[slot], address(slot, n, c, pixel), pixelStride(slot), pixels, lanes, slots.bf16(slot));
            }
        }
    }

    /**
     * A channel's pivot is the mean of a few pixels of its first strip: near enough to the mean that squares do not cancel.
     * They are spread over the strip, since the first rows are often unlike the others.
     */
    private void pivot(Loop loop, Step step, Frame f, int range, int c, int pixels) {
        int few = Math.min(pixels, PIVOT_PIXELS);
        scaleStrides(f, pixels / few);
        loop.run(f, step, few);
        unscaleStrides(f, pixels / few);
        int to = f.offset + step.coefficients()[Step.PIVOT];
        for (int l = 0; l < Simd.LANES; l++) {
            f.coefficients[to + l] = f.sums[l] / few;
        }
        reductions.get(step.reduction()).pivot(range, c, Simd.LANES, f.coefficients, to);
    }

    private void scaleStrides(Frame f, int factor) {
        for (int slot = 0; slot < slots.size(); slot++) {
            f.stride[slot] *= factor;
        }
    }

    private void unscaleStrides(Frame f, int factor) {
        for (int slot = 0; slot < slots.size(); slot++) {
            f.stride[slot] /= factor;
        }
    }

    private static void add(Frame f, int at) {
        for (int l = 0; l < SUMS; l++) {
            f.totals[at + l] += f.sums[l];
        }
    }

    private long pixelStride(int slot) {
        return (long) slots.tensor(slot).type().dtype().bytes() * (blocked ? 16 : shape.c());
    }

    private long address(int slot, int n, int c, int pixel) {
        Tensor t = slots.tensor(slot);
        int bytes = t.type().dtype().bytes();
        long element = blocked
                ? (((long) n * Math.ceilDiv(shape.c(), 16) + c / 16) * shape.area() + pixel) * 16 + c % 16
                : ((long) n * shape.area() + pixel) * shape.c() + c;
        return t.address() + element * bytes;
    }

    static void copyIn(long strip, long from, long stride, int pixels, int lanes, boolean bf16) {
        for (int i = 0; i < pixels; i++) {
            Simd.store(Simd.loadPart(from + i * stride, lanes, bf16), strip + (long) i * Frame.VECTOR);
        }
    }

    static void copyOut(long strip, long to, long stride, int pixels, int lanes, boolean bf16) {
        for (int i = 0; i < pixels; i++) {
            Simd.storePart(Simd.load(strip + (long) i * Frame.VECTOR), to + i * stride, lanes, bf16);
        }
    }
}
