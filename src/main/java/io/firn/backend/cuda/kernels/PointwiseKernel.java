package io.firn.backend.cuda.kernels;

import io.firn.graph.Node;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Launches of {@link Pointwise} groups: one pass over the activations, then {@link Finish} where something is added up. */
final class PointwiseKernel {
    /** Pixels that a thread has in flight. */
    private static final int ROUNDS = 2;

    private PointwiseKernel() {
    }

    /**
     * How a grid is spread over activations.
     *
     * @param lanes   channels of a thread
     * @param columns threads of a block side by side in the channels
     * @param rows    threads of a block side by side in the pixels
     * @param tiles   blocks side by side in the channels
     * @param strip   pixels of a block
     * @param strips  blocks for the pixels of a sample
     */
    record Spread(int lanes, int columns, int rows, int tiles, int strip, int strips) {
        private static final int THREADS = 256;
        private static final int MOST_COLUMNS = 32;
        /** Blocks that keep any GPU busy: a plan must not depend on the device at hand. */
        private static final int BLOCKS = 1024;
        /** Terms of one f32 sum: with more, rounding would show at the tolerance of f32. */
        private static final int LONGEST_SUM = 256;

        static Spread of(int channels, int lanes, int samples, int pixels) {
            return of(channels, lanes, samples, pixels, MOST_COLUMNS, LONGEST_SUM);
        }

        /** @param longest items of a thread */
        static Spread of(int channels, int lanes, int samples, int pixels, int mostColumns, int longest) {
            int groups = channels / lanes;
            int tiles = Math.ceilDiv(groups, mostColumns);
            int columns = Math.ceilDiv(groups, tiles);
            int rows = Math.clamp(THREADS / columns, 1, Math.max(1, pixels));
            int wanted = Math.max(Math.ceilDiv(BLOCKS, tiles * samples), Math.ceilDiv(pixels, rows * longest));
            int strip = Math.max(rows, Math.ceilDiv(pixels, wanted));
            return new Spread(lanes, columns, rows, tiles, strip, Math.ceilDiv(pixels, strip));
        }

        int sharedBytes() {
            return 4 * lanes * columns * rows;
        }
    }

    static KernelCalls calls(Subgraph s) {
        Optional<Shape> found = Pointwise.activation(s.nodes());
        List<Node> vectorOps = s.nodes().stream().filter(Pointwise::isVectorOp).toList();
        if (found.isEmpty()) {
            return new KernelCalls(List.of(Finish.of(s, List.of(), vectorOps, vectorOps.getFirst().output().shape().n())), 0);
        }
        Shape shape = found.get();
        CallBuilder call = new CallBuilder("pointwise", s);
        Body body = new Body(call, shape, "Loads").add(s.nodes(), s.outputs());
        int lanes = Body.lanes(shape.c(), s.nodes().stream().flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream())));
        int samples = body.perSample() ? shape.n() : 1;
        int pixels = Math.multiplyExact(shape.area(), shape.n() / samples);
        Spread spread = Spread.of(shape.c(), lanes, samples, pixels);
        Sums sums = new Sums(call, body.sums(), shape, "n * gridDim.y + blockIdx.y", samples * spread.strips, spread.strips);
        call.integer("groups", shape.c() / lanes).integer("channels", shape.c()).integer("pixels", pixels)
                .integer("strip", spread.strip);
        call.constant("V", lanes).constant("SUMS", body.sums().size()).constant("ROUNDS", ROUNDS).declare(body.declarations());
        call.part("vectors", body.once()).part("declare", body.declare()).part("compute", body.compute())
                .part("store", body.store()).part("sums", sums.code());
        List<KernelCall> calls = new ArrayList<>();
        calls.add(call.build(new KernelCall.Grid(spread.tiles, spread.strips, samples, spread.columns, spread.rows,
                body.sums().isEmpty() ? 0 : spread.sharedBytes())));
        calls.addAll(sums.finish(s, vectorOps));
        return new KernelCalls(calls, sums.bytes());
    }

    /** The sums of a launch: where blocks leave them, the code that does, and the kernels that finish them. */
    static final class Sums {
        private final List<Finish.Partial> partials = new ArrayList<>();
        private final StringBuilder code = new StringBuilder();
        private final Shape shape;
        private long bytes;

        /**
         * @param row     C++ expression of a block's row among all blocks of its channels
         * @param rows    such rows
         * @param strips  rows of one sample
         */
        Sums(CallBuilder call, List<Body.Sum> sums, Shape shape, String row, int rows, int strips) {
            this.shape = shape;
            for (Body.Sum sum : sums) {
                int columns = sum.isPerSample() ? shape.n() * shape.c() : shape.c();
                Finish.Partial p = new Finish.Partial(sum, bytes, sum.isPerSample() ? strips : rows, columns);
                String to = call.pointer("float", "partial" + partials.size(), new Operand.Workspace(bytes));
                String place = sum.isPerSample() ? "((long long) blockIdx.y * %d + n) * a.channels + c".replace("%d", "gridDim.z")
                        : "(long long) (%s) * a.channels + c".formatted(row);
                code.append("block_sums<V>(sum[%d], shared, %s + %s, 1, inside);\n".formatted(partials.size(), to, place));
                partials.add(p);
                bytes = Buffer.align(bytes + p.bytes());
            }
        }

        String code() {
            return code.toString();
        }

        long bytes() {
            return bytes;
        }

        List<KernelCall> finish(Subgraph s, List<Node> vectorOps) {
            List<KernelCall> calls = new ArrayList<>();
            List<Finish.Partial> byChannel = partials.stream().filter(p -> !p.sum().isPerSample()).toList();
            List<Finish.Partial> bySample = partials.stream().filter(p -> p.sum().isPerSample()).toList();
            List<Node> stored = vectorOps.stream().filter(n -> n.outputs().stream().anyMatch(s.outputs()::contains)).toList();
            if (!byChannel.isEmpty() || !stored.isEmpty()) {
                calls.add(Finish.of(s, byChannel, vectorOps, shape.c()));
            }
            if (!bySample.isEmpty()) {
                calls.add(Finish.of(s, bySample, List.of(), shape.n() * shape.c()));
            }
            return calls;
        }
    }
}
