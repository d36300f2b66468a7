package io.firn.backend.cuda;

import io.firn.backend.cuda.kernels.Pointwise;
import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What one of our own kernels computes in one launch: convolutions by channel with what is before and after them, pooling
 * with what is before, squeeze-and-excitation's two products, cross-entropy with its gradient, and any streaming group.
 */
final class OwnPatterns {
    private OwnPatterns() {
    }

    private static Optional<String> no(String reason) {
        return Optional.of(reason);
    }

    /** Why no kernel computes these nodes, among which is no convolution; empty where one does. */
    static Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
        if (nodes.size() == 1) {
            return Optional.empty();
        }
        if (nodes.stream().anyMatch(n -> n.op() instanceof Pooling.Max)) {
            return pooling(nodes, outputs);
        }
        if (nodes.stream().allMatch(n -> n.op() instanceof Loss)) {
            return Optional.empty();
        }
        if (nodes.stream().anyMatch(n -> n.op() instanceof Linear.Forward || n.op() instanceof Linear.Dgrad)) {
            return excitation(nodes);
        }
        return Pointwise.supports(nodes) ? Optional.empty() : no("no streaming kernel computes all of it without a barrier");
    }

    private static Optional<String> pooling(List<Node> nodes, Set<Value> outputs) {
        return nodes.getLast().op() instanceof Pooling.Max
                ? prologue(nodes.subList(0, nodes.size() - 1), nodes.getLast().input(0), outputs)
                : no("nothing is computed after a maximum in its launch");
    }

    /** Batch norm's apply and then an activation, of which nothing else reads. */
    private static Optional<String> prologue(List<Node> before, Value read, Set<Value> outputs) {
        Value expected = read;
        boolean applied = false;
        for (Node n : before.reversed()) {
            boolean right = !applied && n.output().equals(expected) && !outputs.contains(expected)
                    && (n.op() instanceof Normalization.Apply && n.inputs().size() == 3
                    || n.op() instanceof Activation.Forward && expected.equals(read));
            if (!right) {
                return no("before it a kernel computes batch norm's apply and an activation, but no " + n.op().label());
            }
            applied = n.op() instanceof Normalization.Apply;
            expected = n.input(0);
        }
        return Optional.empty();
    }

    /** The two small products of an excitation with their activations, or the gradients of both: sample by sample. */
    private static Optional<String> excitation(List<Node> nodes) {
        Set<Value> written = new HashSet<>();
        int products = 0;
        for (Node n : nodes) {
            boolean small = n.output().shape().rank() == 2 && switch (n.op()) {
                case Linear.Forward l -> n.input(1).shape().rank() == 4;
                case Linear.Dgrad l -> n.input(1).shape().rank() == 4;
                case Activation a -> true;
                default -> false;
            };
            if (!small || !written.isEmpty() && n.inputs().stream().noneMatch(written::contains)) {
                return no("the products of an excitation are computed together with their activations only");
            }
            products += n.op() instanceof Linear ? 1 : 0;
            written.addAll(n.outputs());
        }
        return products <= 2 ? Optional.empty() : no("no kernel computes three products");
    }

    /** Why no kernel computes these nodes, of which exactly one is a convolution by channel; empty where one does. */
    static Optional<String> depthwise(List<Node> nodes, Set<Value> outputs) {
        Node product = nodes.stream().filter(n -> n.op() instanceof Convolution).findFirst().orElseThrow();
        int at = nodes.indexOf(product);
        List<Node> after = nodes.subList(at + 1, nodes.size());
        return switch ((Convolution) product.op()) {
            case Convolution.Forward f -> product.inputs().size() == 3
                    ? at == 0 && after.size() == 1 && after.getFirst().op() instanceof Activation.Forward
                    && after.getFirst().input(0).equals(product.output()) && !outputs.contains(product.output())
                    ? Optional.empty() : no("after a convolution by channel with bias a kernel computes an activation only")
                    : after.isEmpty() || after.size() == 1 && after.getFirst().op() instanceof Normalization.Statistics
                    && after.getFirst().input(0).equals(product.output())
                    ? prologue(nodes.subList(0, at), product.input(0), outputs)
                    : no("after a convolution by channel a kernel computes statistics only");
            case Convolution.Wgrad w -> after.isEmpty() ? prologue(nodes.subList(0, at), product.input(0), outputs)
                    : no("nothing is computed after a weight gradient in its launch");
            case Convolution.Dgrad d -> gradient(nodes, product, outputs);
        };
    }

    /** A data gradient by channel, then an activation's gradient with batch norm recomputed, then batch norm's sums. */
    private static Optional<String> gradient(List<Node> nodes, Node dgrad, Set<Value> outputs) {
        Value last = dgrad.output();
        boolean summed = false;
        for (Node n : nodes) {
            boolean fits = switch (n.op()) {
                case Convolution c -> true;
                case Normalization.Apply a -> n.inputs().size() == 3 && !outputs.contains(n.output());
                case Activation.Forward f -> !outputs.contains(n.output());
                case Activation.Grad g -> n.input(0).equals(dgrad.output()) && last.equals(dgrad.output())
                        && !outputs.contains(last);
                case Normalization.GradSums g -> n.input(0).equals(last) && !summed;
                default -> false;
            };
            if (!fits || !n.op().equals(dgrad.op()) && !n.input(0).shape().equals(dgrad.output().shape())) {
                return no("after a data gradient by channel a kernel computes an activation's gradient and batch norm's "
                        + "sums, but no " + n.op().label());
            }
            summed |= n.op() instanceof Normalization.GradSums;
            last = n.op() instanceof Activation.Grad ? n.output() : last;
        }
        return Optional.empty();
    }
}
