package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.State;
import java.util.Set;

/**
 * Lets an evaluation read moving averages in place of the states that they are of.
 *
 * <pre>
 * conv(x, conv1.weight)   →   conv(x, conv1.weight.ema)
 * </pre>
 */
final class AveragePass {
    private AveragePass() {
    }

    /** @param averaged names of the states that have an average */
    static Graph run(Graph g, Set<String> averaged) {
        GraphBuilder b = new GraphBuilder(g);
        g.inputs().forEach(b::copyInput);
        for (State s : g.states()) {
            if (averaged.contains(s.name())) {
                b.replace(s.value(), b.state(State.Kind.AVERAGE, State.average(s.name()), s.value().type()));
            } else {
                b.copyState(s);
            }
        }
        g.nodes().forEach(b::copy);
        b.copyResults(g);
        return b.build();
    }
}
