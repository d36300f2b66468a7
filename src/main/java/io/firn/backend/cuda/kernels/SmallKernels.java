package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/** Launches of one op each, but for what maximum pooling computes on the way: pixels, pooling, shortcuts, products, loss. */
final class SmallKernels {
    private static final int THREADS = 256;
    private static final int PIXELS = 4;
    private static final int PRODUCT_SIDE = 16;
    private static final int PRODUCT_DEPTH = 32;
    /** Tiles of 64 x 64 that keep a GPU busy; with fewer, smaller ones are better. */
    private static final int ENOUGH_TILES = 64;

    private SmallKernels() {
    }

    static KernelCalls normalize(Subgraph s, Function<Value, Layout> layout) {
        Node n = s.nodes().getFirst();
        Conversion.Normalize op = (Conversion.Normalize) n.op();
        Shape x = n.input(0).shape();
        ArgumentBlock.Writer table = new ArgumentBlock.Writer();
        op.std().forEach(std -> table.real((float) (1 / (255 * std))));
        for (int c = 0; c < x.c(); c++) {
            table.real((float) (-op.mean().get(c) / op.std().get(c)));
        }
        Layout.Nhwc to = (Layout.Nhwc) layout.apply(n.output());
        CallBuilder call = new CallBuilder("normalize", s).type("T", n.output().dtype()).constant("FROM_C", x.c())
                .constant("TO_C", to.row(x)).table(table.done());
        call.pointer("const unsigned char", "from", new Operand.Input(0));
        call.pointer(CallBuilder.type(n.output().dtype()), "to", new Operand.Output(0));
        call.pointer("const void", "table", new Operand.Table());
        int pixels = x.n() * x.area();
        return new KernelCalls(List.of(call.integer("pixels", pixels).build(items(pixels, PIXELS))), 0);
    }

    private static KernelCall.Grid items(long elements, int each) {
        return KernelCall.Grid.of(Math.toIntExact(Math.ceilDiv(elements, (long) each * THREADS)), THREADS);
    }

    /** Maximum pooling, alone or after batch norm's apply and activations that nothing else reads. */
    static boolean supportsMaxPool(List<Node> nodes, Set<Value> outputs) {
        List<Node> before = nodes.subList(0, nodes.size() - 1);
        Node pool = nodes.getLast();
        Set<Value> made = new HashSet<>();
        before.forEach(n -> made.addAll(n.outputs()));
        return pool.op() instanceof Pooling.Max && made.stream().noneMatch(outputs::contains)
                && before.stream().allMatch(n -> n.op() instanceof Normalization.Apply || n.op() instanceof Activation.Forward)
                && (before.isEmpty() || Pointwise.supports(before) && made.contains(pool.input(0)));
    }

    static KernelCalls maxPool(Subgraph s) {
        Node n = s.nodes().getLast();
        Pooling.Max op = (Pooling.Max) n.op();
        Shape x = n.input(0).shape();
        Shape y = n.output().shape();
        CallBuilder call = new CallBuilder("max_pool", s);
        int lanes = lanes(s, x.c());
        Body source = new Body(call, x, "Source").add(s.nodes().subList(0, s.nodes().size() - 1), List.of());
        source.use(n.input(0), "x = %s;\n");
        call.outputOrNull(n.output(), "to");
        call.outputOrNull(n.outputs().get(1), "place");
        window(call, op.kernel(), op.stride(), op.padding()).integer("source_h", x.h()).integer("source_w", x.w())
                .integer("height", y.h()).integer("width", y.w()).integer("results", y.n() * y.area())
                .integer("channels", x.c()).integer("groups", x.c() / lanes);
        call.type("T", n.output().dtype()).constant("V", lanes).declare(source.declarations())
                .part("vectors", source.once()).part("source", source.compute());
        return new KernelCalls(List.of(call.build(items(y.elements(), lanes))), 0);
    }

    private static CallBuilder window(CallBuilder call, int kernel, int stride, int padding) {
        return call.integer("kernel", kernel).integer("stride", stride).integer("padding", padding);
    }

    static KernelCalls maxPoolGrad(Subgraph s) {
        Node n = s.nodes().getFirst();
        Pooling.MaxGrad op = (Pooling.MaxGrad) n.op();
        Shape dx = n.output().shape();
        Shape dy = n.input(0).shape();
        int lanes = lanes(s, dx.c());
        CallBuilder call = new CallBuilder("max_pool_grad", s).type("T", n.output().dtype()).constant("V", lanes);
        String type = CallBuilder.type(n.output().dtype());
        call.pointer("const " + type, "dy", new Operand.Input(0));
        call.pointer("const unsigned char", "place", new Operand.Input(1));
        call.pointer(type, "dx", new Operand.Output(0));
        window(call, op.kernel(), op.stride(), op.padding()).integer("result_h", dy.h()).integer("result_w", dy.w())
                .integer("height", dx.h()).integer("width", dx.w()).integer("pixels", dx.n() * dx.area())
                .integer("channels", dx.c()).integer("groups", dx.c() / lanes);
        return new KernelCalls(List.of(call.build(items(dx.elements(), lanes))), 0);
    }

    static KernelCalls shortcut(Subgraph s) {
        Node n = s.nodes().getFirst();
        Shape from = n.input(0).shape();
        Shape to = n.output().shape();
        boolean towardsInput = n.op() instanceof Shortcut.PadGrad;
        int stride = switch ((Shortcut) n.op()) {
            case Shortcut.Pad p -> p.stride();
            case Shortcut.PadGrad p -> p.stride();
        };
        int before = Math.abs(from.c() - to.c()) / 2;
        int lanes = lanes(s, from.c());
        while (to.c() % lanes != 0 || before % lanes != 0) {
            lanes /= 2;
        }
        String type = CallBuilder.type(n.output().dtype());
        CallBuilder call = new CallBuilder("shortcut", s).type("T", n.output().dtype()).constant("V", lanes)
                .constant("TOWARDS_INPUT", towardsInput ? 1 : 0);
        call.pointer("const " + type, "from", new Operand.Input(0));
        call.pointer(type, "to", new Operand.Output(0));
        call.integer("stride", stride).integer("before", before).integer("source_h", from.h()).integer("source_w", from.w())
                .integer("source_c", from.c()).integer("height", to.h()).integer("width", to.w())
                .integer("pixels", to.n() * to.area()).integer("channels", to.c());
        return new KernelCalls(List.of(call.build(items(to.elements(), lanes))), 0);
    }

    /** The loss, its gradient, or both of the same logits; the gradient may be scaled where nothing reads it else. */
    static boolean supportsLoss(List<Node> nodes, Set<Value> outputs) {
        if (nodes.getLast().op() instanceof Scaling.Scale) {
            Value unscaled = nodes.getLast().input(0);
            List<Node> before = nodes.subList(0, nodes.size() - 1);
            return !outputs.contains(unscaled) && supportsLoss(before, outputs) && before.stream()
                    .anyMatch(n -> n.op() instanceof Loss.SoftmaxCrossEntropyGrad && n.output().equals(unscaled));
        }
        return !nodes.isEmpty() && nodes.size() <= 2 && nodes.stream().allMatch(n -> n.op() instanceof Loss l
                && n.inputs().equals(nodes.getFirst().inputs())
                && l.smoothing() == ((Loss) nodes.getFirst().op()).smoothing())
                && nodes.stream().map(n -> n.op().getClass()).distinct().count() == nodes.size();
    }

    static KernelCalls loss(Subgraph s) {
        Node first = s.nodes().getFirst();
        Shape logits = first.input(0).shape();
        double smoothing = ((Loss) first.op()).smoothing();
        CallBuilder call = new CallBuilder("cross_entropy", s);
        call.input(first.input(0), "logits");
        call.input(first.input(1), "labels");
        boolean mixed = Loss.isMixed(first.inputs());
        call.inputOrNull(mixed ? first.input(2) : null, DType.I32, "partners");
        call.inputOrNull(mixed ? first.input(3) : null, DType.F32, "rates");
        Value loss = null;
        Value gradient = null;
        Value scaling = null;
        for (Node n : s.nodes()) {
            switch (n.op()) {
                case Loss.SoftmaxCrossEntropy l -> loss = n.output();
                case Loss.SoftmaxCrossEntropyGrad g -> gradient = n.output();
                case Scaling.Scale c -> {
                    gradient = n.output();
                    scaling = n.input(1);
                }
                default -> throw new IllegalArgumentException(n + " is no loss");
            }
        }
        call.inputOrNull(scaling, DType.F32, "scaling");
        if (loss == null) {
            call.nothing("float", "loss_rows");
        } else {
            call.pointer("float", "loss_rows", new Operand.Workspace(0));
        }
        if (gradient == null) {
            call.nothing("float", "gradient");
        } else {
            call.outputOrNull(gradient, "gradient");
        }
        call.integer("rows", logits.n()).integer("classes", logits.c()).real("certain", 1 - smoothing)
                .real("uncertain", smoothing / logits.c());
        KernelCall rows = call.build(new KernelCall.Grid(logits.n(), 1, 1, THREADS, 1, 4 * THREADS));
        return loss == null ? new KernelCalls(List.of(rows), 0)
                : new KernelCalls(List.of(rows, Finish.plain(s, loss, logits.n(), 1)), 4L * logits.n());
    }

    /** One product; its result is [rows, columns], summed over a depth. */
    static KernelCalls linear(Subgraph s) {
        Node n = s.nodes().getFirst();
        Linear op = (Linear) n.op();
        Shape a = n.input(0).shape();
        Shape b = n.input(1).shape();
        return switch (op) {
            case Linear.Forward l -> product(s, 0, 1, 2, a.n(), b.dim(0), a.c(), true, true);
            case Linear.Dgrad l -> product(s, 0, 1, -1, a.n(), b.dim(1), a.c(), true, false);
            case Linear.Wgrad l -> product(s, 1, 0, -1, b.c(), a.c(), a.n(), false, false);
            case Linear.BiasGrad l -> throw new IllegalArgumentException(n + " is no product");
        };
    }

    /** @param leftAlong whether the left operand is [rows, depth], else [depth, rows]; the right one [columns, depth] likewise */
    private static KernelCalls product(Subgraph s, int left, int right, int bias, int rows, int columns, int depth,
                                       boolean leftAlong, boolean rightAlong) {
        Node n = s.nodes().getFirst();
        int large = 4 * PRODUCT_SIDE;
        boolean many = (long) Math.ceilDiv(rows, large) * Math.ceilDiv(columns, large) >= ENOUGH_TILES;
        int tile = many ? large : PRODUCT_SIDE;
        CallBuilder call = new CallBuilder("linear", s).constant("PER", tile / PRODUCT_SIDE)
                .constant("A_ALONG", leftAlong ? 1 : 0).constant("B_ALONG", rightAlong ? 1 : 0);
        call.input(n.input(left), "left");
        call.input(n.input(right), "right");
        call.inputOrNull(bias < 0 ? null : n.input(bias), DType.F32, "bias");
        call.pointer("float", "to", new Operand.Output(0));
        call.integer("rows", rows).integer("columns", columns).integer("depth", depth)
                .integer("left_apart", leftAlong ? depth : 1).integer("left_step", leftAlong ? 1 : rows)
                .integer("right_apart", rightAlong ? depth : 1).integer("right_step", rightAlong ? 1 : columns);
        return new KernelCalls(List.of(call.build(new KernelCall.Grid(Math.ceilDiv(columns, tile), Math.ceilDiv(rows, tile), 1,
                PRODUCT_SIDE, PRODUCT_SIDE, 4 * 2 * tile * (PRODUCT_DEPTH + 1)))), 0);
    }

    private static int lanes(Subgraph s, int channels) {
        return Body.lanes(channels, s.nodes().stream().flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream()))
                .filter(v -> v.dtype() != DType.U8));
    }
}
