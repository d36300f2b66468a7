package io.firn.plan;

import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Folds evaluation-mode batch norms into the convolutions before them. Only where nothing else reads the convolution's
 * output. The weight may be trained all the same, since no gradient reads that output: then it is folded every step.
 *
 * <pre>
 * bn_apply(conv(x, w), scale, shift)   →   conv(x, fold_weight(w, scale), shift)
 * </pre>
 */
final class FoldPass {
    private FoldPass() {
    }

    static Graph run(Graph g) {
        Map<Value, Node> producers = g.producers();
        Map<Value, List<Node>> consumers = g.consumers();
        Set<Value> results = new HashSet<>(g.outputs().values());
        results.addAll(g.updates().values());
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (!folds(n, producers, consumers) || results.contains(n.input(0))) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            Node conv = producers.get(n.input(0));
            Value w = master(conv.input(1), producers);
            Value folded = b.add(w.name() + ".folded", new Normalization.FoldWeight(), w, b.mapped(n.input(1)));
            DType dtype = conv.input(1).dtype();
            if (dtype != DType.F32) {
                folded = b.add(w.name() + ".cast", new Conversion.Cast(dtype), folded);
            }
            b.replace(n.output(), b.add(conv.name(), conv.op(), b.mapped(conv.input(0)), folded, b.mapped(n.input(2))));
        }
        b.copyResults(g);
        return b.build().prune();
    }

    private static boolean folds(Node n, Map<Value, Node> producers, Map<Value, List<Node>> consumers) {
        if (!(n.op() instanceof Normalization.Apply) || n.inputs().size() != 3) {
            return false;
        }
        Node scale = producers.get(n.input(1));
        Node conv = producers.get(n.input(0));
        return scale != null && scale.op() instanceof Normalization.Affine
                && conv != null && conv.op() instanceof Convolution.Forward && conv.inputs().size() == 2
                && consumers.get(n.input(0)).size() == 1;
    }

    /** The f32 weight that a convolution's operand is a cast of. */
    private static Value master(Value w, Map<Value, Node> producers) {
        Node cast = producers.get(w);
        return cast != null && cast.op() instanceof Conversion.Cast ? cast.input(0) : w;
    }
}
