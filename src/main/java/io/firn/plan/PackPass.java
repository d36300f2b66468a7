package io.firn.plan;

import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Gives each product that wants its weights packed a cast of its own right before it, and each weight gradient that comes
 * out packed a cast back to dense right after it, so that every value has one layout.
 *
 * <pre>
 * conv(x, w); conv_dgrad(dy, w)      →   conv(x, cast(w)); conv_dgrad(dy, cast(w))
 * g = conv_wgrad(x, dy); sgd(w, g)   →   g = cast(conv_wgrad(x, dy)); sgd(w, g)
 * </pre>
 */
final class PackPass {
    private PackPass() {
    }

    static Graph run(Graph g, Kernels kernels) {
        Map<Value, Node> producers = g.producers();
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (!kernels.packsWeights(n)) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            List<Value> in = new ArrayList<>(n.inputs().stream().map(b::mapped).toList());
            if (n.op() instanceof Convolution.Wgrad) {
                Value packed = b.add(n.name(), n.op(), in.toArray(Value[]::new));
                b.replace(n.output(), b.add(n.name() + ".unpack", new Conversion.Cast(DType.F32), packed));
                continue;
            }
            Node cast = producers.get(n.input(1));
            Value master = cast != null && cast.op() instanceof Conversion.Cast ? b.mapped(cast.input(0)) : in.get(1);
            in.set(1, b.add(n.name() + ".pack", new Conversion.Cast(n.input(1).dtype()), master));
            b.replace(n.output(), b.add(n.name(), n.op(), in.toArray(Value[]::new)));
        }
        b.copyResults(g);
        return b.build().prune();
    }
}
