package io.firn.plan;

import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Slicing;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;

/** Which layout operands have in the tests' catalogues: weights dense, pixels NHWC, activations as asked. */
final class OperandLayouts {
    private OperandLayouts() {
    }

    /** Of an input of a subgraph, by the first node that reads it. */
    static Layout input(Subgraph s, Value v, Layout activations) {
        Node reader = s.nodes().stream().filter(n -> n.inputs().contains(v)).findFirst().orElseThrow();
        if (reader.op() instanceof Conversion.Normalize || reader.op() instanceof Slicing.Narrow) {
            return Layout.NHWC;
        }
        boolean weight = switch (reader.op()) {
            case Convolution.Wgrad w -> false;
            case Convolution c -> reader.inputs().indexOf(v) == 1;
            case Linear l -> true;
            case Normalization.FoldWeight f -> true;
            case Conversion.Cast c -> true;
            case Update u -> true;
            case Clipping c -> true;
            case Collective c -> true;
            default -> false;
        };
        return layout(v.type(), weight, activations);
    }

    /** Of an output of a subgraph. */
    static Layout output(Subgraph s, Value v, Layout activations) {
        Node writer = s.nodes().stream().filter(n -> n.outputs().contains(v)).findFirst().orElseThrow();
        if (writer.op() instanceof Slicing.Narrow) {
            return Layout.NHWC;
        }
        boolean weight = switch (writer.op()) {
            case Convolution.Wgrad w -> true;
            case Linear l -> true;
            case Normalization.FoldWeight f -> true;
            case Conversion.Cast c -> true;
            case Update u -> true;
            case Collective c -> true;
            default -> false;
        };
        return layout(v.type(), weight, activations);
    }

    private static Layout layout(Type t, boolean weight, Layout activations) {
        if (t.shape().rank() != 4 || weight) {
            return Layout.DENSE;
        }
        return activations;
    }
}
