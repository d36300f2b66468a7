package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Phase;
import io.firn.graph.Rates;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Adds the optimizer: each parameter that has an output {@code NAME.grad} is updated, and its slots with it. */
final class UpdatePass {
    private UpdatePass() {
    }

    /** @param optimizer the step that each parameter takes */
    static Graph run(Graph g, Function<State, Update> optimizer) {
        GraphBuilder b = GraphBuilder.from(g).phase(Phase.OPTIMIZER);
        Value rates = b.inputOnce("rates", Rates.TYPE);
        for (State s : g.states(State.Kind.PARAMETER)) {
            Value gradient = g.outputs().get(s.name() + ".grad");
            if (gradient == null) {
                continue;
            }
            Update op = optimizer.apply(s);
            List<Value> in = new ArrayList<>(List.of(s.value(), gradient));
            for (String slot : op.slots()) {
                in.add(b.state(State.Kind.OPTIMIZER, s.name() + "." + slot, s.value().type()));
            }
            in.add(rates);
            List<Value> out = b.addAll(s.name() + ".update", op, in);
            b.update(s.name(), out.getFirst());
            for (int i = 0; i < op.slots().size(); i++) {
                b.update(s.name() + "." + op.slots().get(i), out.get(i + 1));
            }
        }
        return b.build();
    }
}
