package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.List;

/**
 * Takes training-mode batch norms apart, since fusion and synchronisation need the parts.
 *
 * <pre>
 * y, mean, invstd, rm', rv' = batch_norm(x, w, b, rm, rv)
 *   →   s, q = bn_statistics(x)
 *       mean, invstd, scale, shift, rm', rv' = bn_finalise(s, q, w, b, rm, rv)
 *       y = bn_apply(x, scale, shift)
 * </pre>
 */
final class SplitPass {
    private SplitPass() {
    }

    static Graph run(Graph g) {
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (!(n.op() instanceof Normalization.BatchNorm(double eps, double momentum))) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            Value x = b.mapped(n.input(0));
            List<Value> sums = b.addAll(n.name() + ".statistics", new Normalization.Statistics(), x);
            long count = (long) x.shape().n() * x.shape().area();
            List<Value> f = b.addAll(n.name() + ".finalise", new Normalization.Finalise(eps, momentum, count),
                    sums.get(0), sums.get(1), n.input(1), n.input(2), n.input(3), n.input(4));
            Value y = b.add(n.name(), new Normalization.Apply(), x, f.get(2), f.get(3));
            List<Value> old = n.outputs();
            b.replace(old.get(0), y);
            b.replace(old.get(1), f.get(0));
            b.replace(old.get(2), f.get(1));
            b.replace(old.get(3), f.get(4));
            b.replace(old.get(4), f.get(5));
        }
        b.copyResults(g);
        return b.build();
    }
}
