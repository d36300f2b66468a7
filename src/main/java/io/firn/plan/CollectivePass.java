package io.firn.plan;

import io.firn.graph.Collective;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Averages gradients over ranks, bucket by bucket in the order in which they come to be, each right after its last one, so
 * that a bucket travels while the gradients below it are computed. What is frozen has no gradient, and so is in no bucket.
 * With the first bucket go the loss and whether any rank wants to stop, so that all know at the end of the same step.
 *
 * <pre>
 * g4 = wgrad4; g3 = wgrad3; g2 = wgrad2   →   g4 = wgrad4; g3 = wgrad3; [g4' g3' = all_reduce(g4, g3)]; g2 = wgrad2; …
 * </pre>
 */
final class CollectivePass {
    private CollectivePass() {
    }

    /** Outputs {@code NAME.grad} and {@code loss} become their means over the ranks. */
    static Graph run(Graph g, Ranks ranks) {
        SequencedMap<String, Value> gradients = new LinkedHashMap<>(g.outputs());
        gradients.keySet().removeIf(name -> !name.endsWith(".grad"));
        if (ranks.count() == 1 || gradients.isEmpty()) {
            return g;
        }
        Map<Value, Integer> waiting = new HashMap<>();
        gradients.values().forEach(v -> waiting.merge(v, 1, Integer::sum));
        GraphBuilder b = GraphBuilder.rewriting(g);
        Value stop = b.input("stop", Type.f32(1));
        List<Value> bucket = new ArrayList<>(List.of(g.output("loss"), stop));
        Map<Value, Value> reduced = new HashMap<>();
        int buckets = 0;
        for (Node n : g.nodes()) {
            b.copy(n);
            for (Value v : n.outputs()) {
                if (waiting.remove(v) != null) {
                    bucket.add(v);
                }
            }
            long bytes = bucket.stream().mapToLong(v -> v.type().bytes()).sum();
            if (bytes >= ranks.bucketBytes() || waiting.isEmpty() && !bucket.isEmpty()) {
                List<Value> means = b.phase(Phase.COLLECTIVE).addAll("gradients." + buckets++,
                        new Collective.AllReduce(Collective.Reduction.MEAN, ranks.count()), bucket);
                for (int i = 0; i < means.size(); i++) {
                    reduced.put(bucket.get(i), means.get(i));
                }
                bucket.clear();
            }
        }
        b.copyResults(g);
        gradients.forEach((name, v) -> b.output(name, reduced.get(v)));
        b.output("loss", reduced.get(g.output("loss")));
        b.output("stop", reduced.get(stop));
        return b.build();
    }
}
