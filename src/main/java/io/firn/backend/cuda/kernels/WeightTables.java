package io.firn.backend.cuda.kernels;

import io.firn.graph.Conversion;
import io.firn.graph.DType;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.List;
import java.util.function.Function;

/**
 * Launches over many weights at once, by a table in device memory: {@code cast.cu} (casts, packing, folding) and
 * {@code update.cu} (optimizers). Weights [O,I,K,K] may lie dense or as NHWC, [O,K,K,I]; a kernel goes from one to the other.
 */
final class WeightTables {
    /** Elements of a block. */
    private static final int CHUNK = 4096;
    private static final int THREADS = 256;

    private WeightTables() {
    }

    /** Whether all nodes are casts between the same two types, or foldings of f32 weights. */
    static boolean supportsCasts(List<Node> nodes) {
        return nodes.stream().allMatch(n -> n.op() instanceof Conversion.Cast && like(n, nodes.getFirst()))
                || nodes.stream().allMatch(n -> n.op() instanceof Normalization.FoldWeight);
    }

    private static boolean like(Node a, Node b) {
        return a.input(0).dtype() == b.input(0).dtype() && a.output().dtype() == b.output().dtype()
                && a.input(0).dtype().isFloat();
    }

    static KernelCalls casts(Subgraph s, Function<Value, Layout> layout) {
        CallBuilder call = new CallBuilder("cast", s);
        Table table = new Table(s);
        for (Node n : s.nodes()) {
            table.input(n.input(0)).output(n.output());
            if (n.op() instanceof Normalization.FoldWeight) {
                table.input(n.input(1));
            } else {
                table.writer.nothing();
            }
            table.place(n.output().shape(), layout.apply(n.input(0)), layout.apply(n.output()));
        }
        DType from = s.nodes().getFirst().input(0).dtype();
        DType to = s.nodes().getFirst().output().dtype();
        return table.start(call.type("From", from).type("To", to));
    }

    /** Whether all nodes are steps of one optimizer that differ in rate and decay at most. */
    static boolean supportsUpdates(List<Node> nodes) {
        return nodes.stream().allMatch(n -> n.op() instanceof Update.Step s && !s.isScaled(n.inputs())
                && !(s instanceof Update.Lars) && nodes.getFirst().op() instanceof Update.Step first
                && plain(s).equals(plain(first)) && n.inputs().getLast().equals(nodes.getFirst().inputs().getLast()));
    }

    private static Update plain(Update.Step op) {
        return switch (op) {
            case Update.Sgd(double m, double decay, boolean nesterov, double factor) -> new Update.Sgd(m, 0, nesterov, 1);
            case Update.AdamW(double b1, double b2, double eps, double decay, double factor) ->
                    new Update.AdamW(b1, b2, eps, 0, 1);
            case Update.RmsProp(double alpha, double eps, boolean inside, double m, double decay, double factor) ->
                    new Update.RmsProp(alpha, eps, inside, m, 0, 1);
            case Update.Lars l -> l;
        };
    }

    static KernelCalls updates(Subgraph s, Function<Value, Layout> layout) {
        CallBuilder call = new CallBuilder("update", s);
        Table table = new Table(s);
        for (Node n : s.nodes()) {
            Update.Step op = (Update.Step) n.op();
            List<Value> slots = n.inputs().subList(2, n.inputs().size() - 1);
            // RMSprop's momentum is the second slot, as it is where there is none.
            table.input(n.input(0)).input(n.input(1));
            for (int i = 0; i < 2; i++) {
                table.inputOrNothing(i < slots.size() ? slots.get(i) : null);
            }
            table.output(n.output());
            for (int i = 0; i < 2; i++) {
                table.outputOrNothing(i < slots.size() ? n.outputs().get(1 + i) : null);
            }
            table.place(n.output().shape(), layout.apply(n.input(1)), layout.apply(n.output()));
            table.writer.real((float) op.factor()).real((float) op.weightDecay());
        }
        Update.Step op = (Update.Step) s.nodes().getFirst().op();
        Value rates = s.nodes().getFirst().inputs().getLast();
        call.pointer("const float", "rates", new Operand.Input(s.inputs().indexOf(rates)));
        switch (op) {
            case Update.Sgd u -> numbers(call, u.momentum(), 0, 0, 0).constant("KIND", 0)
                    .constant("FLAG", u.nesterov() ? 1 : 0);
            case Update.AdamW u -> numbers(call, 0, u.beta1(), u.beta2(), u.eps()).constant("KIND", 1).constant("FLAG", 0);
            case Update.RmsProp u -> numbers(call, u.momentum(), 0, u.alpha(), u.eps()).constant("KIND", 2)
                    .constant("FLAG", u.tensorflow() ? 1 : 0);
            case Update.Lars u -> throw new IllegalArgumentException("no kernel computes " + u);
        }
        return table.start(call);
    }

    private static CallBuilder numbers(CallBuilder call, double momentum, double beta1, double beta2, double eps) {
        return call.real("momentum", momentum).real("beta1", beta1).real("one_less_beta1", 1 - beta1).real("beta2", beta2)
                .real("one_less_beta2", 1 - beta2).real("log_beta1", Math.log(beta1)).real("log_beta2", Math.log(beta2))
                .real("eps", eps).constant("MOMENTUM", momentum == 0 ? 0 : 1);
    }

    /** The segments of a launch and the blocks that they take. */
    private static final class Table {
        private final ArgumentBlock.Writer writer = new ArgumentBlock.Writer();
        private final Subgraph subgraph;
        private int segments;
        private int blocks;

        Table(Subgraph subgraph) {
            this.subgraph = subgraph;
        }

        Table input(Value v) {
            writer.aligned().pointer(new Operand.Input(subgraph.inputs().indexOf(v)));
            return this;
        }

        Table output(Value v) {
            writer.pointer(new Operand.Output(subgraph.outputs().indexOf(v)));
            return this;
        }

        void inputOrNothing(Value v) {
            if (v == null) {
                writer.nothing();
            } else {
                input(v);
            }
        }

        void outputOrNothing(Value v) {
            if (v == null) {
                writer.nothing();
            } else {
                output(v);
            }
        }

        /** Ends a segment's pointers with its extents, in the order of what it writes. */
        void place(Shape shape, Layout from, Layout to) {
            int taps = shape.rank() == 4 ? shape.area() : 1;
            int elements = Math.toIntExact(shape.elements());
            int inner = shape.rank() < 2 ? 1 : elements / shape.dim(0) / taps;
            writer.integer(elements).integer(inner).integer(taps).integer(from.equals(to) ? 0 : order(from, to)).integer(blocks);
            segments++;
            blocks += Math.ceilDiv(elements, CHUNK);
        }

        private static int order(Layout from, Layout to) {
            if (from.equals(Layout.DENSE) && to.equals(Layout.NHWC)) {
                return 1;
            }
            Op.check(from.equals(Layout.NHWC) && to.equals(Layout.DENSE), "no kernel goes from %s to %s", from.label(), to.label());
            return 2;
        }

        KernelCalls start(CallBuilder call) {
            call.pointer("const void", "table", new Operand.Table());
            call.integer("segments", segments).constant("CHUNK", CHUNK).table(writer.done());
            return new KernelCalls(List.of(call.build(KernelCall.Grid.of(blocks, THREADS))), 0);
        }
    }
}
