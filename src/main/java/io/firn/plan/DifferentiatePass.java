package io.firn.plan;

import io.firn.graph.Derivatives;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.Scaling;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Adds the gradients of the output {@code loss} towards the given values, as outputs {@code NAME.grad}. The walk visits
 * only paths from the loss to what is wanted: this is what makes frozen parameters absent.
 */
final class DifferentiatePass {
    private DifferentiatePass() {
    }

    /** @param scaled whether the gradient begins with that of a multiplied loss ({@link Scaling}) */
    static Graph run(Graph g, List<Value> wanted, boolean scaled) {
        Set<Value> needed = new HashSet<>(wanted);
        for (Node n : g.nodes()) {
            if (n.inputs().stream().anyMatch(needed::contains)) {
                needed.addAll(n.outputs());
            }
        }
        GraphBuilder b = GraphBuilder.from(g).phase(Phase.BACKWARD);
        Value loss = g.output("loss");
        Map<Value, Value> gradients = new HashMap<>();
        for (Node n : g.nodes().reversed()) {
            Value dy = gradients.get(n.output());
            if (!needed.contains(n.output()) || dy == null && n.output() != loss) {
                continue;
            }
            Value[] d = Derivatives.of(b, n, dy, i -> needed.contains(n.input(i)));
            if (scaled && n.output() == loss) {
                d[0] = b.add("loss.scale", new Scaling.Scale(), d[0],
                        b.state(State.Kind.OPTIMIZER, Scaling.STATE, Scaling.TYPE));
            }
            for (int i = 0; i < d.length; i++) {
                if (d[i] != null && needed.contains(n.input(i))) {
                    Value gradient = d[i];
                    gradients.merge(n.input(i), gradient,
                            (first, second) -> b.add(n.name() + ".sum", new Elementwise.Add(), first, second));
                }
            }
        }
        for (Value w : wanted) {
            Value d = gradients.get(w);
            if (d == null) {
                throw new IllegalArgumentException(w.name() + " does not reach the loss");
            }
            b.output(w.name() + ".grad", d);
        }
        return b.build();
    }
}
