package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Conversion;
import io.firn.graph.Drop;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Value;
import java.util.List;
import java.util.function.Function;

/** The ops that no library call and no fused launch computes: each node is one launch of its own. */
final class SmallKernels {
    private SmallKernels() {
    }

    /**
     * The launch of one node.
     *
     * @param bind where its operands and results lie; results of elementwise ops may lie on an operand
     */
    static Runnable of(Node n, Function<Value, Tensor> bind, Workers workers) {
        List<Tensor> in = n.inputs().stream().map(bind).toList();
        Tensor out = bind.apply(n.output());
        return switch (n.op()) {
            case Activation.Forward(Activation.Kind kind) -> flat(out, workers,
                    (from, count) -> FlatLoops.activation(kind, at(in.get(0), from), at(out, from), count));
            case Activation.Grad(Activation.Kind kind) -> flat(out, workers, (from, count) ->
                    FlatLoops.gradient(kind, at(in.get(0), from), at(in.get(1), from), at(out, from), count));
            case Conversion.Normalize c -> new NormalizeKernel(c, in.getFirst(), out, workers);
            case Clipping.GlobalNorm c -> new ClipKernel(c, in, out, bind.apply(n.outputs().get(1)), workers);
            case Drop d -> new DropKernel(d, in.get(0), in.get(1), out, workers);
            case Linear.BiasGrad b -> new BiasGradKernel(in.getFirst(), out);
            case Loss l -> new LossKernel(l, in, out, workers);
            case Shortcut s -> new ShortcutKernel(s, in.getFirst(), out, workers);
            case Slicing.Narrow s -> narrow(s, in.getFirst(), out);
            // What is joined lies in its place already.
            case Slicing.Cat c -> () -> { };
            case Normalization.Affine a -> {
                VectorStage stage = new VectorStage(n, bind, null);
                yield () -> stage.run(0, n.output().shape().dim(0));
            }
            case Normalization.FoldWeight f -> fold(in.get(0), in.get(1), out, workers);
            default -> throw new IllegalArgumentException("no kernel for " + n);
        };
    }

    private static long at(Tensor t, long element) {
        return t.address() + element * t.type().dtype().bytes();
    }

    private static Runnable flat(Tensor out, Workers workers, FlatLoops.Range range) {
        return new FlatLoops.Launch(out.type().shape().elements(), workers, range);
    }

    /** Images lie one after the other in every layout. */
    private static Runnable narrow(Slicing.Narrow op, Tensor in, Tensor out) {
        long bytes = out.layout().bytes(out.type());
        long from = in.address() + bytes / op.length() * op.start();
        return () -> Native.copy(from, out.address(), bytes);
    }

    /** A task is a filter. */
    private static Runnable fold(Tensor weight, Tensor scale, Tensor out, Workers workers) {
        int filters = weight.type().shape().dim(0);
        int size = (int) (weight.type().shape().elements() / filters);
        Workers.Task task = (o, thread) -> FlatLoops.scale(at(weight, (long) o * size), at(out, (long) o * size), size,
                Native.getFloat(at(scale, o)));
        return () -> workers.run(filters, task);
    }
}
