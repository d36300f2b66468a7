package io.firn.backend.cuda.kernels;

import io.firn.graph.Convolution;
import io.firn.graph.Node;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Launches of {@link Depthwise} groups: {@code depthwise.cu} and {@code depthwise_wgrad.cu}. */
final class DepthwiseKernel {
    /* As in depthwise.cu. */
    private static final int TILE = 8;
    private static final int STRIPS = 16;
    /** Two blocks fit a multiprocessor of 100 kB. */
    private static final int SHARED = 48 * 1024;
    private static final int MOST_COLUMNS = 16;
    private static final int BLOCKS = 2048;
    private static final int LONGEST_SUM = 512;

    private DepthwiseKernel() {
    }

    static KernelCalls calls(Subgraph s) {
        Depthwise d = Depthwise.of(s.nodes(), Set.copyOf(s.outputs())).orElseThrow();
        return d.isWeightGradient() ? weightGradient(s, d) : result(s, d);
    }

    private static KernelCalls result(Subgraph s, Depthwise d) {
        Node n = d.convolution();
        Convolution op = (Convolution) n.op();
        boolean towardsInput = op instanceof Convolution.Dgrad;
        Shape from = n.input(0).shape();
        Shape to = n.output().shape();
        CallBuilder call = new CallBuilder("depthwise", s);
        int lanes = lanes(s, from.c());
        Body source = before(call, d, "put(staged.at[i], %s);\n");
        Body body = new Body(call, to, "Loads");
        body.given(n.output(), n.inputs().size() == 3 ? "(acc[r][i] + %s[i])".formatted(body.vector(n.input(2))) : "acc[r][i]");
        body.add(d.after(), s.outputs());
        if (s.outputs().contains(n.output())) {
            body.store(n.output());
        }
        int columns = MOST_COLUMNS;
        while (columns > 1 && (columns / 2 >= from.c() / lanes || shared(columns, lanes, op, d.kernel(), n) > SHARED)) {
            columns /= 2;
        }
        int tilesHigh = Math.ceilDiv(to.h(), TILE);
        int tilesWide = Math.ceilDiv(to.w(), TILE);
        int tiles = Math.multiplyExact(to.n(), tilesHigh * tilesWide);
        int across = Math.ceilDiv(from.c() / lanes, columns);
        int strip = Math.ceilDiv(tiles, Math.clamp(Math.ceilDiv(BLOCKS, across), 1, tiles));
        int strips = Math.ceilDiv(tiles, strip);
        PointwiseKernel.Sums sums = new PointwiseKernel.Sums(call, body.sums(), to, "blockIdx.y", strips, 0);
        call.input(n.input(1), "weights");
        call.integer("groups", from.c() / lanes).integer("channels", from.c()).integer("strip", strip).integer("tiles", tiles)
                .integer("tiles_h", tilesHigh).integer("tiles_w", tilesWide).integer("height", to.h()).integer("width", to.w())
                .integer("source_h", from.h()).integer("source_w", from.w());
        constants(call, op, d.kernel(), lanes, columns).type("T", n.input(0).dtype())
                .constant("TOWARDS_INPUT", towardsInput ? 1 : 0).constant("SUMS", body.sums().size());
        call.declare(source.declarations()).declare(body.declarations());
        call.part("source vectors", source.once()).part("source", source.compute());
        call.part("vectors", body.once()).part("declare", body.declare()).part("compute", body.compute())
                .part("store", body.store()).part("sums", sums.code());
        List<KernelCall> calls = new ArrayList<>();
        calls.add(call.build(new KernelCall.Grid(across, strips, 1, columns, STRIPS,
                shared(columns, lanes, op, d.kernel(), n))));
        calls.addAll(sums.finish(s, vectorOps(d.after())));
        return new KernelCalls(calls, sums.bytes());
    }

    private static KernelCalls weightGradient(Subgraph s, Depthwise d) {
        Node n = d.convolution();
        Shape x = n.input(0).shape();
        Shape dy = n.input(1).shape();
        int k = d.kernel();
        CallBuilder call = new CallBuilder("depthwise_wgrad", s);
        int lanes = lanes(s, x.c());
        Body source = before(call, d, "to[i] = %s;\n");
        int rows = Math.multiplyExact(dy.n(), dy.h());
        PointwiseKernel.Spread spread = PointwiseKernel.Spread.of(x.c() * k, lanes, 1, rows, MOST_COLUMNS * k,
                Math.max(1, LONGEST_SUM / dy.w()));
        int columns = Math.min(MOST_COLUMNS, Math.ceilDiv(spread.columns(), k));
        int height = Math.clamp(256 / (columns * k), 1, rows);
        int across = Math.ceilDiv(x.c() / lanes, columns);
        int strip = Math.max(height, spread.strip());
        int strips = Math.ceilDiv(rows, strip);
        call.input(n.input(1), "dy");
        call.pointer("float", "partial", new Operand.Workspace(0));
        call.integer("groups", x.c() / lanes).integer("channels", x.c()).integer("strip", strip).integer("rows", rows)
                .integer("height", dy.h()).integer("width", dy.w()).integer("source_h", x.h()).integer("source_w", x.w());
        constants(call, (Convolution) n.op(), k, lanes, columns).declare(source.declarations());
        call.part("vectors", source.once()).part("source", source.compute());
        int weights = x.c() * k * k;
        return new KernelCalls(List.of(
                call.build(new KernelCall.Grid(across, strips, 1, columns * k, height, 4 * columns * k * height * lanes)),
                Finish.plain(s, n.output(), strips, weights)), 4L * strips * weights);
    }

    /** What is computed of the source before it is used; {@code use} takes the value of lane {@code i}. */
    private static Body before(CallBuilder call, Depthwise d, String use) {
        Value x = d.convolution().input(0);
        Body source = new Body(call, x.shape(), "Source").add(d.before(), List.of());
        source.use(x, use);
        return source;
    }

    private static CallBuilder constants(CallBuilder call, Convolution op, int kernel, int lanes, int columns) {
        return call.constant("V", lanes).constant("COLUMNS", columns).constant("K", kernel).constant("STRIDE", op.stride())
                .constant("PAD", op.padding());
    }

    private static List<Node> vectorOps(List<Node> nodes) {
        return nodes.stream().filter(Pointwise::isVectorOp).toList();
    }

    private static int lanes(Subgraph s, int channels) {
        return Body.lanes(channels, s.nodes().stream().flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream())));
    }

    /** The staged tile and the weights, or the sums after them. */
    private static int shared(int columns, int lanes, Convolution op, int kernel, Node n) {
        int side = op instanceof Convolution.Dgrad
                ? Math.floorDiv(TILE - 1 + op.padding(), op.stride()) + Math.floorDiv(kernel - 1 - op.padding(), op.stride()) + 1
                : (TILE - 1) * op.stride() + kernel;
        int tile = Math.ceilDiv(side * side * columns * lanes * n.input(0).dtype().bytes(), 16) * 16;
        return Math.max(tile + 4 * kernel * kernel * columns * lanes, 4 * columns * STRIPS * lanes);
    }
}
