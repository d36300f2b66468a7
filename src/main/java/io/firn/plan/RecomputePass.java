package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.Map;

/**
 * Gives consumers that would rather compute than read their own copy of batch norm's apply and the activation after it,
 * from the convolution's output, which batch norm's gradient keeps anyway. The copies are fused with their consumer, and
 * where all consumers have one, the activation never crosses memory.
 *
 * <pre>
 * a = silu(bn_apply(x, s, t)); gate(a, e)   →   gate(silu(bn_apply(x, s, t)), e)
 * </pre>
 */
final class RecomputePass {
    private RecomputePass() {
    }

    static Graph run(Graph g, Kernels kernels) {
        Map<Value, Node> producers = g.producers();
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (!kernels.recomputes(n)) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            Value[] in = n.inputs().toArray(Value[]::new);
            for (int i = 0; i < in.length; i++) {
                in[i] = clone(b, in[i], producers);
            }
            Value y = b.add(n.name(), n.op(), in);
            b.replace(n.output(), y);
        }
        b.copyResults(g);
        return b.build().prune();
    }

    /** A copy of {@code v}'s chain, or {@code v} itself where it is no such chain. */
    private static Value clone(GraphBuilder b, Value v, Map<Value, Node> producers) {
        Node n = producers.get(v);
        if (n != null && isApply(n)) {
            return b.add(n.name() + ".again", n.op(), b.mapped(n.input(0)), b.mapped(n.input(1)), b.mapped(n.input(2)));
        }
        if (n != null && n.op() instanceof Activation.Forward && producers.containsKey(n.input(0))
                && isApply(producers.get(n.input(0)))) {
            return b.add(n.name() + ".again", n.op(), clone(b, n.input(0), producers));
        }
        return b.mapped(v);
    }

    private static boolean isApply(Node n) {
        return n.op() instanceof Normalization.Apply && n.inputs().size() == 3;
    }
}
