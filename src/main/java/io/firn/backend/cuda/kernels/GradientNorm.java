package io.firn.backend.cuda.kernels;

import io.firn.graph.Clipping;
import io.firn.graph.DType;
import io.firn.graph.Node;
import io.firn.graph.Scaling;
import io.firn.graph.Value;
import io.firn.plan.Subgraph;
import java.util.List;
import java.util.Set;

/**
 * Norms over many tensors: sums of squares by one table ({@code squares.cu}), and what becomes of all gradients' together
 * ({@code clip.cu}). Two kernels, since a grid has no barrier.
 */
final class GradientNorm {
    /** Elements of a block. */
    static final int CHUNK = 4096;
    private static final int THREADS = 256;

    private GradientNorm() {
    }

    static boolean supports(List<Node> nodes, Set<Value> outputs) {
        Node n = nodes.getFirst();
        return nodes.size() == 1 && (n.op() instanceof Clipping || n.op() instanceof Scaling.Unscale)
                && outputs.containsAll(n.outputs());
    }

    static KernelCalls calls(Subgraph s) {
        Node n = s.nodes().getFirst();
        boolean scaled = n.op() instanceof Scaling.Unscale;
        KernelCall squares = squares(s, scaled ? n.inputs().subList(1, n.inputs().size()) : n.inputs());
        int blocks = squares.grid().x();
        CallBuilder call = new CallBuilder("clip", s);
        call.pointer("const float", "sums", new Operand.Workspace(0));
        call.inputOrNull(scaled ? n.input(0) : null, DType.F32, "state");
        call.outputOrNull(n.outputs().get(0), "factor");
        call.outputOrNull(n.outputs().get(1), "norm");
        if (scaled) {
            call.outputOrNull(n.outputs().get(2), "next");
        } else {
            call.nothing("float", "next");
        }
        call.integer("blocks", blocks).real("most", most(n)).constant("PATIENCE", Scaling.PATIENCE)
                .constant("MOST_EXPONENT", Scaling.MOST);
        return new KernelCalls(List.of(squares, call.build(new KernelCall.Grid(1, 1, 1, THREADS, 1, 4 * THREADS))),
                4L * blocks);
    }

    private static double most(Node n) {
        return switch (n.op()) {
            case Clipping.GlobalNorm c -> c.most();
            case Scaling.Unscale u -> u.most();
            default -> throw new IllegalArgumentException(n + " limits nothing");
        };
    }

    /** A sum for each {@value #CHUNK} elements of each tensor, in their order from the workspace's start; a block makes one. */
    static KernelCall squares(Subgraph s, List<Value> tensors) {
        ArgumentBlock.Writer table = new ArgumentBlock.Writer();
        int blocks = 0;
        for (Value v : tensors) {
            int elements = Math.toIntExact(v.shape().elements());
            table.aligned().pointer(new Operand.Input(s.inputs().indexOf(v))).integer(elements).integer(blocks);
            blocks += Math.ceilDiv(elements, CHUNK);
        }
        CallBuilder call = new CallBuilder("squares", s).table(table.done()).constant("CHUNK", CHUNK);
        call.pointer("const void", "table", new Operand.Table());
        call.pointer("float", "sums", new Operand.Workspace(0));
        return call.integer("segments", tensors.size()).build(new KernelCall.Grid(blocks, 1, 1, THREADS, 1, 4 * THREADS));
    }
}
