package io.firn.plan;

import io.firn.graph.Collective;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Phase;
import io.firn.graph.Value;
import java.util.ArrayList;
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
 *
 * Where ranks synchronise their statistics, both sums are all-reduced before they are used, and on the way back those of
 * the gradient; what the optimizer gets is averaged with all other gradients.
 */
final class SplitPass {
    private SplitPass() {
    }

    /** With statistics of a rank's own. */
    static Graph run(Graph g) {
        return run(g, 1);
    }

    /** @param synced ranks whose statistics are one */
    static Graph run(Graph g, int synced) {
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (n.op() instanceof Normalization.GradApply(long count) && synced > 1) {
                List<Value> in = new ArrayList<>(n.inputs().stream().map(b::mapped).toList());
                List<Value> sums = sum(b, n.name() + ".sync", in.subList(5, 7), synced);
                in.set(5, sums.get(0));
                in.set(6, sums.get(1));
                b.replace(n.output(), b.phase(n.phase()).addAll(n.name(), new Normalization.GradApply(count * synced), in)
                        .getFirst());
                continue;
            }
            if (!(n.op() instanceof Normalization.BatchNorm(double eps, double momentum))) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            Value x = b.mapped(n.input(0));
            List<Value> sums = b.addAll(n.name() + ".statistics", new Normalization.Statistics(), x);
            if (synced > 1) {
                sums = sum(b, n.name() + ".sync", sums, synced);
                b.phase(n.phase());
            }
            long count = (long) x.shape().n() * x.shape().area() * synced;
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

    private static List<Value> sum(GraphBuilder b, String name, List<Value> vectors, int ranks) {
        return b.phase(Phase.COLLECTIVE).addAll(name, new Collective.AllReduce(Collective.Reduction.SUM, ranks), vectors);
    }
}
