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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Launches over many weights at once, by a table in device memory: {@code cast.cu} (casts, packing, folding) and
 * {@code update.cu} (optimizers, moving averages, sums of gradients). Weights [O,I,K,K] may lie dense or as NHWC,
 * [O,K,K,I]; a kernel goes from one to the other, and a cast pads.
 */
final class WeightTables {
    private static final int CHUNK = GradientNorm.CHUNK;
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
            Layout to = layout.apply(n.output());
            table.writer.integer(Table.row(n.output().shape(), to));
            table.place(n.output().shape(), layout.apply(n.input(0)), to);
        }
        DType from = s.nodes().getFirst().input(0).dtype();
        DType to = s.nodes().getFirst().output().dtype();
        return table.start(call.type("From", from).type("To", to), 0);
    }

    /**
     * Whether all nodes are steps of one optimizer that differ in rate and decay at most, and moving averages with one decay;
     * or sums of gradients over as many micro-batches.
     */
    static boolean supportsUpdates(List<Node> nodes) {
        Node first = nodes.getFirst();
        if (first.op() instanceof Update.Accumulate) {
            return nodes.stream().allMatch(n -> n.op().equals(first.op()) && rates(n).equals(rates(first)));
        }
        List<Node> steps = steps(nodes);
        List<Node> averages = nodes.stream().filter(n -> n.op() instanceof Update.Average).toList();
        return steps.size() + averages.size() == nodes.size()
                && nodes.stream().allMatch(n -> rates(n).equals(rates(first)))
                && averages.stream().allMatch(n -> n.op().equals(averages.getFirst().op()))
                && steps.stream().allMatch(n -> plain((Update.Step) n.op()).equals(plain((Update.Step) steps.getFirst().op()))
                && factors(n).equals(factors(steps.getFirst())));
    }

    private static List<Node> steps(List<Node> nodes) {
        return nodes.stream().filter(n -> n.op() instanceof Update.Step).toList();
    }

    private static Value rates(Node n) {
        return n.op() instanceof Update u ? n.input(u.ratesAt()) : n.input(0);
    }

    /** What a step takes after its rates. */
    private static List<Value> factors(Node n) {
        return n.inputs().subList(((Update) n.op()).ratesAt() + 1, n.inputs().size());
    }

    private static Update plain(Update.Step op) {
        return switch (op) {
            case Update.Sgd(double m, double decay, boolean nesterov, double factor) -> new Update.Sgd(m, 0, nesterov, 1);
            case Update.AdamW(double b1, double b2, double eps, double decay, double factor) ->
                    new Update.AdamW(b1, b2, eps, 0, 1);
            case Update.RmsProp(double alpha, double eps, boolean inside, double m, double decay, double factor) ->
                    new Update.RmsProp(alpha, eps, inside, m, 0, 1);
            case Update.Lars(double m, double coefficient, double eps, double decay, double factor) ->
                    new Update.Lars(m, coefficient, eps, 0, 1);
        };
    }

    /** One table: first what has a gradient, with its moving average where it has one, then what is only averaged. */
    static KernelCalls updates(Subgraph s, Function<Value, Layout> layout) {
        CallBuilder call = new CallBuilder("update", s);
        Table table = new Table(s);
        List<Node> averages = new ArrayList<>();
        List<Node> stepped = new ArrayList<>();
        s.nodes().forEach(n -> (n.op() instanceof Update.Average ? averages : stepped).add(n));
        double averageShare = averages.isEmpty() ? 0 : 1 - ((Update.Average) averages.getFirst().op()).decay();
        for (Node n : stepped) {
            Node average = averages.stream().filter(a -> a.input(1).equals(n.output())).findFirst().orElse(null);
            averages.remove(average);
            segment(table, n, average, layout);
        }
        int blocks = table.blocks;
        averages.forEach(a -> segment(table, a, layout));
        Node first = s.nodes().getFirst();
        call.input(rates(first), "rates");
        List<Value> factors = stepped.isEmpty() ? List.of() : factors(stepped.getFirst());
        call.inputOrNull(factors.isEmpty() ? null : factors.getFirst(), DType.F32, "scale");
        call.inputOrNull(factors.size() < 2 ? null : factors.getLast(), DType.F32, "scaling");
        boolean norms = !stepped.isEmpty() && stepped.getFirst().op() instanceof Update.Lars;
        if (norms) {
            call.pointer("const float", "squares", new Operand.Workspace(0));
        } else {
            call.nothing("const float", "squares");
        }
        call.integer("stepped", blocks).real("average_share", averageShare);
        numbers(call, (Update) (stepped.isEmpty() ? first : stepped.getFirst()).op());
        KernelCalls update = table.start(call, norms ? 4 * THREADS : 0);
        if (!norms) {
            return update;
        }
        List<Value> measured = Stream.of(0, 1).flatMap(i -> stepped.stream().map(n -> n.input(i))).toList();
        return new KernelCalls(List.of(GradientNorm.squares(s, measured), update.calls().getFirst()), 8L * blocks);
    }

    private static void segment(Table table, Node n, Node average, Function<Value, Layout> layout) {
        Update op = (Update) n.op();
        List<Value> slots = n.inputs().subList(2, op.ratesAt());
        table.input(n.input(0)).input(n.input(1));
        // RMSprop's momentum is the second slot, as it is where there is none.
        for (int i = 0; i < 2; i++) {
            table.inputOrNothing(i < slots.size() ? slots.get(i) : null);
        }
        table.inputOrNothing(average == null ? null : average.input(0));
        table.output(n.output());
        for (int i = 0; i < 2; i++) {
            table.outputOrNothing(i < slots.size() ? n.outputs().get(1 + i) : null);
        }
        table.outputOrNothing(average == null ? null : average.output());
        table.place(n.output().shape(), layout.apply(n.input(1)), layout.apply(n.output()));
        boolean steps = op instanceof Update.Step;
        table.writer.real((float) (steps ? ((Update.Step) op).factor() : 1))
                .real((float) (steps ? ((Update.Step) op).weightDecay() : 0));
    }

    /** Of a state that another launch has changed. */
    private static void segment(Table table, Node average, Function<Value, Layout> layout) {
        table.input(average.input(1));
        for (int i = 0; i < 3; i++) {
            table.inputOrNothing(null);
        }
        table.input(average.input(0));
        for (int i = 0; i < 3; i++) {
            table.outputOrNothing(null);
        }
        table.output(average.output());
        table.place(average.output().shape(), layout.apply(average.input(1)), layout.apply(average.output()));
        table.writer.real(1).real(0);
    }

    private static void numbers(CallBuilder call, Update op) {
        switch (op) {
            case Update.Sgd u -> numbers(call, u.momentum(), 0, 0, 0, 0).constant("KIND", 0)
                    .constant("FLAG", u.nesterov() ? 1 : 0);
            case Update.AdamW u -> numbers(call, 0, u.beta1(), u.beta2(), u.eps(), 0).constant("KIND", 1).constant("FLAG", 0);
            case Update.RmsProp u -> numbers(call, u.momentum(), 0, u.alpha(), u.eps(), 0).constant("KIND", 2)
                    .constant("FLAG", u.tensorflow() ? 1 : 0);
            case Update.Lars u -> numbers(call, u.momentum(), 0, 0, u.eps(), u.coefficient()).constant("KIND", 3)
                    .constant("FLAG", 0);
            case Update.Accumulate u -> numbers(call, 0, 0, 0, 0, 1.0 / u.batches()).constant("KIND", 4)
                    .constant("FLAG", 0);
            case Update.Average u -> numbers(call, 0, 0, 0, 0, 0).constant("KIND", 0).constant("FLAG", 0);
        }
    }

    /** @param share LARS's coefficient, or a micro-batch's share of a step */
    private static CallBuilder numbers(CallBuilder call, double momentum, double beta1, double beta2, double eps,
                                       double share) {
        return call.real("momentum", momentum).real("beta1", beta1).real("one_less_beta1", 1 - beta1).real("beta2", beta2)
                .real("one_less_beta2", 1 - beta2).real("log_beta1", Math.log(beta1)).real("log_beta2", Math.log(beta2))
                .real("eps", eps).real("share", share).constant("MOMENTUM", momentum == 0 ? 0 : 1);
    }

    /** The segments of a launch and the blocks that they take. */
    private static final class Table {
        private final ArgumentBlock.Writer writer = new ArgumentBlock.Writer();
        private final Map<Value, Integer> inputs;
        private final Map<Value, Integer> outputs;
        private int segments;
        private int blocks;

        Table(Subgraph s) {
            inputs = numbers(s.inputs());
            outputs = numbers(s.outputs());
        }

        private static Map<Value, Integer> numbers(List<Value> values) {
            Map<Value, Integer> numbers = new HashMap<>();
            values.forEach(v -> numbers.put(v, numbers.size()));
            return numbers;
        }

        Table input(Value v) {
            writer.aligned().pointer(new Operand.Input(inputs.get(v)));
            return this;
        }

        Table output(Value v) {
            writer.pointer(new Operand.Output(outputs.get(v)));
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
            int inner = inner(shape);
            int taps = taps(shape);
            int elements = Math.toIntExact(shape.elements() / inner * row(shape, to));
            writer.integer(elements).integer(inner).integer(taps).integer(from.equals(to) ? 0 : order(from, to)).integer(blocks);
            segments++;
            blocks += Math.ceilDiv(elements, CHUNK);
        }

        /** Elements of a row of what is written, padding included. */
        private static int row(Shape shape, Layout to) {
            return shape.rank() == 4 && to instanceof Layout.Nhwc last ? last.row(shape) : inner(shape);
        }

        private static int inner(Shape shape) {
            return shape.rank() < 2 ? 1 : Math.toIntExact(shape.elements() / shape.dim(0) / taps(shape));
        }

        private static int taps(Shape shape) {
            return shape.rank() == 4 ? shape.area() : 1;
        }

        private static int order(Layout from, Layout to) {
            if (from.equals(Layout.NHWC) && to instanceof Layout.Nhwc) {
                return 0;
            }
            if (from.equals(Layout.DENSE) && to instanceof Layout.Nhwc) {
                return 1;
            }
            Op.check(from.equals(Layout.NHWC) && to.equals(Layout.DENSE), "no kernel goes from %s to %s", from.label(), to.label());
            return 2;
        }

        KernelCalls start(CallBuilder call, int shared) {
            call.pointer("const void", "table", new Operand.Table());
            call.integer("segments", segments).constant("CHUNK", CHUNK).table(writer.done());
            return new KernelCalls(List.of(call.build(new KernelCall.Grid(blocks, 1, 1, THREADS, 1, shared))), 0);
        }
    }
}
