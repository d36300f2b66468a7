package io.firn.backend.cuda.kernels;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The rule for what one streaming kernel computes: any group of batch-norm, activation, gating, dropping, casting and
 * adding ops whose activations have one shape, [N,C,H,W], or [N,C] where there is none of rank 4. Vectors [C], and
 * matrices [N,C] beside maps, are f32. It may add up its activations by channel or by sample and channel, and go on with
 * what such sums are used for by channel (batch norm's finalise); but nothing that it computes pixel by pixel may depend
 * on a sum, since a grid has no barrier.
 */
public final class Pointwise {
    private Pointwise() {
    }

    /** Whether one launch can compute these nodes, whichever of their values must reach memory. */
    public static boolean supports(List<Node> nodes) {
        Optional<Shape> found = activation(nodes);
        Set<Value> summed = new HashSet<>();
        for (Node n : nodes) {
            boolean pixels = n.outputs().stream().anyMatch(v -> v.shape().equals(found.orElse(null)));
            boolean late = n.inputs().stream().anyMatch(summed::contains);
            boolean known = known(n) && (pixels ? !late : isSum(n) || isVectorOp(n));
            if (!known || !values(n).allMatch(v -> fits(n, v, found))) {
                return false;
            }
            if (isSum(n) || late) {
                summed.addAll(n.outputs());
            }
        }
        return !nodes.isEmpty() && (found.isPresent() || nodes.stream().allMatch(Pointwise::isVectorOp));
    }

    /** The shape of what is streamed: rank 4 where there is any, else rank 2; empty where all is by channel. */
    static Optional<Shape> activation(List<Node> nodes) {
        return nodes.stream().flatMap(Pointwise::values).map(Value::shape).filter(s -> s.rank() == 4).findFirst()
                .or(() -> nodes.stream().flatMap(Pointwise::values).map(Value::shape).filter(s -> s.rank() == 2).findFirst());
    }

    private static Stream<Value> values(Node n) {
        return Stream.concat(n.inputs().stream(), n.outputs().stream());
    }

    private static boolean fits(Node n, Value v, Optional<Shape> activation) {
        if (v.type().equals(Counter.TYPE)) {
            return n.op() instanceof Drop;
        }
        return switch (v.shape().rank()) {
            case 4 -> v.shape().equals(activation.orElseThrow()) && v.dtype().isFloat();
            case 2 -> v.shape().equals(activation.orElseThrow()) ? v.dtype().isFloat() : v.dtype() == DType.F32;
            case 1 -> v.dtype() == DType.F32;
            default -> false;
        };
    }

    private static boolean known(Node n) {
        return switch (n.op()) {
            case Normalization.BatchNorm b -> false;
            case Normalization.FoldWeight f -> false;
            case Normalization o -> true;
            case Activation a -> true;
            case Elementwise e -> true;
            case Gate g -> true;
            case Drop d -> true;
            case Conversion.Cast c -> true;
            case Pooling.GlobalAverage g -> true;
            case Pooling.GlobalAverageGrad g -> true;
            case Linear.BiasGrad b -> true;
            default -> false;
        };
    }

    /** Whether the node adds up activations, by channel or by sample and channel. */
    static boolean isSum(Node n) {
        return switch (n.op()) {
            case Normalization.Statistics s -> true;
            case Normalization.GradSums g -> true;
            case Linear.BiasGrad b -> true;
            case Pooling.GlobalAverage g -> true;
            case Gate.ScaleGrad g -> true;
            default -> false;
        };
    }

    /** Whether the node computes vectors [C] from vectors. */
    static boolean isVectorOp(Node n) {
        return n.op() instanceof Normalization.Finalise || n.op() instanceof Normalization.Affine;
    }
}
