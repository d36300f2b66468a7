package io.firn.backend.cuda;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What cuDNN computes beside a convolution in one call, as far as engines were found for it without a device (cuDNN 9.24,
 * sm_90 and sm_80): the rule by which plans are made, whether or not cuDNN is here to be asked.
 *
 * <pre>
 * forward   apply, activation → conv → statistics       conv with bias → add → activation
 * dgrad     dgrad → add, activation gradient with batch norm recomputed → batch norm's gradient sums (stride 1)
 * wgrad     fp16: apply, relu → wgrad
 * </pre>
 *
 * The last one was found where scale and shift are fp16 as well, and the gradient passes as a virtual tensor into f32.
 */
final class CudnnPatterns {
    private CudnnPatterns() {
    }

    /** Why no engine computes these nodes, of which one is a convolution and not by channel; empty where one does. */
    static Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
        if (nodes.size() == 1) {
            return Optional.empty();
        }
        Node product = nodes.stream().filter(n -> n.op() instanceof Convolution).findFirst().orElseThrow();
        Convolution c = (Convolution) product.op();
        List<Node> before = nodes.subList(0, nodes.indexOf(product));
        if (product.input(0).dtype() == DType.F32) {
            return no("fused engines of f32 tensors round to tf32 or are not checked");
        }
        return switch (c) {
            case Convolution.Forward f -> forward(nodes, product, outputs);
            case Convolution.Dgrad d -> dgrad(nodes, product, outputs);
            case Convolution.Wgrad w -> wgrad(nodes, product, before, outputs);
        };
    }

    private static Optional<String> wgrad(List<Node> nodes, Node wgrad, List<Node> before, Set<Value> outputs) {
        if (nodes.getLast() != wgrad) {
            return no("cuDNN computes nothing after a weight gradient");
        }
        if (before.stream().anyMatch(n -> n.outputs().contains(wgrad.input(1)))) {
            return no("cuDNN reads the gradient of a convolution's output from memory");
        }
        return wgrad.input(0).dtype() == DType.F16 ? prologue(before, wgrad, Set.of(Activation.Kind.RELU), outputs)
                : no("cuDNN has a weight gradient of a recomputed activation in fp16 only");
    }

    private static Optional<String> no(String reason) {
        return Optional.of(reason);
    }

    private static Optional<String> forward(List<Node> nodes, Node conv, Set<Value> outputs) {
        int at = nodes.indexOf(conv);
        List<Node> after = nodes.subList(at + 1, nodes.size());
        if (conv.inputs().size() == 3) {
            return at > 0 ? no("cuDNN has no engine with both a prologue and a bias") : biased(after, conv, outputs);
        }
        if (at > 0 && ((Convolution) conv.op()).groups() > 1) {
            return no("cuDNN has no prologue of a grouped convolution");
        }
        if (after.size() > 1 || !after.stream().allMatch(n -> n.op() instanceof Normalization.Statistics
                && n.input(0).equals(conv.output()))) {
            return no("after a convolution without bias cuDNN computes statistics and nothing else");
        }
        return prologue(nodes.subList(0, at), conv, Set.of(Activation.Kind.RELU, Activation.Kind.SILU), outputs);
    }

    /** A batch norm applied and an activation, each optional, of which only the convolution reads. */
    private static Optional<String> prologue(List<Node> before, Node conv, Set<Activation.Kind> kinds, Set<Value> outputs) {
        Value expected = conv.input(0);
        for (Node n : before.reversed()) {
            boolean right = n.output().equals(expected) && switch (n.op()) {
                case Normalization.Apply a -> n.inputs().size() == 3;
                case Activation.Forward f -> kinds.contains(f.kind()) && expected == conv.input(0);
                default -> false;
            };
            if (!right) {
                return no("before a convolution cuDNN computes scale, shift and one activation, but no %s".formatted(
                        n.op().label()));
            }
            if (outputs.contains(n.output())) {
                return no("what cuDNN computes before a convolution does not reach memory");
            }
            expected = n.input(0);
        }
        return !before.isEmpty() && before.getFirst().op() instanceof Activation
                ? no("cuDNN computes an activation before a convolution only after scale and shift") : Optional.empty();
    }

    /** What follows a bias: at most a sum and an activation, of which only the last reaches memory. */
    private static Optional<String> biased(List<Node> after, Node conv, Set<Value> outputs) {
        Value expected = conv.output();
        boolean sum = false;
        boolean activation = false;
        for (Node n : after) {
            boolean fits = !activation && n.inputs().contains(expected) && switch (n.op()) {
                case Elementwise.Add a -> !sum && !n.input(0).equals(n.input(1));
                case Activation.Forward f -> f.kind() != Activation.Kind.SIGMOID;
                default -> false;
            };
            if (!fits) {
                return no("after a convolution with bias cuDNN computes a sum and an activation, but no %s".formatted(
                        n.op().label()));
            }
            sum |= n.op() instanceof Elementwise.Add;
            activation |= n.op() instanceof Activation;
            expected = n.output();
        }
        return outputs.equals(Set.of(expected)) ? Optional.empty()
                : no("of a convolution with bias and what follows only the last result reaches memory");
    }

    private static Optional<String> dgrad(List<Node> nodes, Node dgrad, Set<Value> outputs) {
        Convolution.Dgrad op = (Convolution.Dgrad) dgrad.op();
        if (op.groups() > 1) {
            return no("cuDNN has no fused data gradient of a grouped convolution");
        }
        Shape shape = dgrad.output().shape();
        Set<Value> fromProduct = new HashSet<>(dgrad.outputs());
        Set<Value> summed = new HashSet<>();
        int pairs = 0;
        for (Node n : nodes) {
            if (n == dgrad) {
                continue;
            }
            boolean known = switch (n.op()) {
                case Normalization.Apply a -> true;
                case Normalization.GradSums g -> true;
                case Activation.Forward f -> f.kind() != Activation.Kind.SIGMOID;
                case Activation.Grad g -> g.kind() != Activation.Kind.SIGMOID;
                case Elementwise.Add a -> true;
                default -> false;
            };
            if (!known) {
                return no("after a data gradient cuDNN computes sums, scales and activation gradients, but no %s".formatted(
                        n.op().label()));
            }
            if (!n.input(0).shape().equals(shape) || n.inputs().stream().anyMatch(summed::contains)) {
                return no("%s does not follow pixel by pixel".formatted(n.name()));
            }
            if (n.op() instanceof Normalization.GradSums) {
                pairs++;
                summed.addAll(n.outputs());
            }
            if (n.inputs().stream().anyMatch(fromProduct::contains)) {
                fromProduct.addAll(n.outputs());
            } else if (n.op() instanceof Normalization.GradSums) {
                return no("%s is no sum over what the product comes to".formatted(n.name()));
            }
        }
        if (pairs > 0 && op.stride() > 1) {
            return no("cuDNN's data gradient of stride %d with sums does not compile".formatted(op.stride()));
        }
        if (pairs > 2) {
            return no("cuDNN was asked for at most two batch norms' sums in one launch");
        }
        long maps = nodes.stream().flatMap(n -> n.outputs().stream()).filter(v -> v.shape().equals(shape))
                .filter(outputs::contains).count();
        boolean early = outputs.stream().anyMatch(v -> v.shape().equals(shape) && !fromProduct.contains(v));
        return maps > 1 || early ? no("of a data gradient and what follows one map reaches memory") : Optional.empty();
    }
}
