package io.firn.backend.cuda.kernels;

import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Drop;
import io.firn.graph.Gate;
import io.firn.graph.Node;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A depthwise convolution, or one of its gradients, with the pointwise ops that its kernel does on the way.
 *
 * <pre>
 * before: bn_apply, activation, … of the first operand;   after: bn_statistics, or activation's gradient and bn_grad_sums, …
 * </pre>
 *
 * Neither side may have ops that are different for each sample, and nothing that is computed before is stored.
 */
record Depthwise(Node convolution, List<Node> before, List<Node> after) {
    private static final int LARGEST_KERNEL = 5;

    /** The parts of a group that one launch can compute; empty where it cannot. */
    static Optional<Depthwise> of(List<Node> nodes, Set<Value> outputs) {
        List<Node> convolutions = nodes.stream().filter(n -> n.op() instanceof Convolution).toList();
        if (convolutions.size() != 1 || !isPlain(convolutions.getFirst())) {
            return Optional.empty();
        }
        Node conv = convolutions.getFirst();
        Set<Value> wanted = new HashSet<>(Set.of(conv.input(0)));
        List<Node> before = new ArrayList<>();
        List<Node> after = new ArrayList<>();
        for (Node n : nodes.reversed()) {
            if (n != conv && n.outputs().stream().anyMatch(wanted::contains)) {
                before.addFirst(n);
                wanted.addAll(n.inputs());
            } else if (n != conv) {
                after.addFirst(n);
            }
        }
        Depthwise d = new Depthwise(conv, List.copyOf(before), List.copyOf(after));
        return d.fits(outputs) ? Optional.of(d) : Optional.empty();
    }

    private static boolean isPlain(Node n) {
        Convolution op = (Convolution) n.op();
        Shape weight = op instanceof Convolution.Wgrad ? n.output().shape() : n.input(1).shape();
        return Convolution.isDepthwise(op.groups(), weight) && weight.dim(2) <= LARGEST_KERNEL && op.padding() < weight.dim(2)
                && (op.stride() == 1 || op.stride() == 2) && op.stride() < weight.dim(2) && n.input(0).dtype().isFloat();
    }

    private boolean fits(Set<Value> outputs) {
        Set<Value> made = new HashSet<>();
        before.forEach(n -> made.addAll(n.outputs()));
        boolean apart = made.stream().noneMatch(outputs::contains) && after.stream().flatMap(n -> n.inputs().stream())
                .noneMatch(made::contains);
        boolean sumsBefore = before.stream().anyMatch(Pointwise::isSum);
        boolean weights = isWeightGradient() && !after.isEmpty();
        return apart && !sumsBefore && !weights && streams(before, convolution.input(0).shape())
                && streams(after, convolution.output().shape());
    }

    private static boolean streams(List<Node> nodes, Shape shape) {
        return nodes.isEmpty() || Pointwise.supports(nodes) && Pointwise.activation(nodes).equals(Optional.of(shape))
                && nodes.stream().noneMatch(n -> n.op() instanceof Gate || n.op() instanceof Drop || n.op() instanceof Pooling
                || n.op() instanceof Conversion);
    }

    boolean isWeightGradient() {
        return convolution.op() instanceof Convolution.Wgrad;
    }

    /** Extent of the kernel in each direction. */
    int kernel() {
        return (isWeightGradient() ? convolution.output() : convolution.input(1)).shape().dim(2);
    }
}
