package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Node;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import java.util.List;
import java.util.Optional;

/**
 * A convolution as it is asked of oneDNN: direction, shapes, layouts, and what follows it in the same call.
 *
 * @param x          shape of the input (of its gradient, for dgrad)
 * @param w          shape of the weights [O,I/g,K,K]
 * @param y          shape of the output (of its gradient)
 * @param bias       whether a bias is added (forward)
 * @param residual   whether another tensor like y is added after it (forward)
 * @param activation what is applied last (forward)
 */
record Product(Direction direction, Shape x, Shape w, Shape y, int stride, int padding, int groups, DType dtype,
               Layout xLayout, Layout yLayout, boolean bias, boolean residual, Optional<Activation.Kind> activation) {

    enum Direction { FORWARD, DGRAD, WGRAD }

    /**
     * The product that these nodes make up: a convolution or one of its gradients, and after a forward convolution
     * optionally an addition and an activation; empty where they make up something else.
     */
    static Optional<Product> of(List<Node> nodes, Layout activations) {
        Node n = nodes.getFirst();
        if (!(n.op() instanceof Convolution c)) {
            return Optional.empty();
        }
        boolean residual = false;
        Activation.Kind activation = null;
        Value last = n.output();
        for (Node after : nodes.subList(1, nodes.size())) {
            if (!(c instanceof Convolution.Forward) || activation != null || !after.inputs().contains(last)) {
                return Optional.empty();
            }
            switch (after.op()) {
                case Elementwise.Add a -> {
                    if (residual || after.input(0).equals(after.input(1))) {
                        return Optional.empty();
                    }
                    residual = true;
                }
                case Activation.Forward f -> activation = f.kind();
                default -> {
                    return Optional.empty();
                }
            }
            last = after.output();
        }
        DType dtype = n.input(0).dtype();
        Direction direction;
        Shape x;
        Shape w;
        Shape y;
        switch (c) {
            case Convolution.Forward f -> {
                direction = Direction.FORWARD;
                x = n.input(0).shape();
                w = n.input(1).shape();
                y = n.output().shape();
            }
            case Convolution.Dgrad d -> {
                direction = Direction.DGRAD;
                x = n.output().shape();
                w = n.input(1).shape();
                y = n.input(0).shape();
            }
            case Convolution.Wgrad g -> {
                direction = Direction.WGRAD;
                x = n.input(0).shape();
                w = n.output().shape();
                y = n.input(1).shape();
            }
        }
        return Optional.of(new Product(direction, x, w, y, c.stride(), c.padding(), c.groups(), dtype,
                CpuKernels.layout(x, activations), CpuKernels.layout(y, activations), n.inputs().size() == 3, residual,
                Optional.ofNullable(activation)));
    }

    boolean depthwise() {
        return Convolution.isDepthwise(groups, w);
    }

    /** The tensor that is added, among the operands of the nodes that make up this product. */
    static Value residualOf(List<Node> nodes) {
        Node add = nodes.get(1);
        return add.input(0).equals(nodes.getFirst().output()) ? add.input(1) : add.input(0);
    }

    /** Names this product in the tuning table. */
    String key() {
        return "%s %dx%dx%dx%d o%d k%d s%d p%d g%d %s %s-%s%s%s%s".formatted(direction.name().toLowerCase(), x.n(), x.c(),
                x.h(), x.w(), w.dim(0), w.dim(2), stride, padding, groups, dtype.name().toLowerCase(), xLayout.label(),
                yLayout.label(), bias ? " bias" : "", residual ? " add" : "",
                activation.map(a -> " " + a.name().toLowerCase()).orElse(""));
    }
}
