package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Cuts a network in two where its frozen prefix ends, so that each part is a plan of its own: what the prefix computes of an
 * image never changes and can be kept. The border is all that the rest reads of the prefix, be it one value or several.
 *
 * <pre>
 * pixels → frozen → a, b → trained → logits   →   BEFORE: pixels → frozen → a, b        (outputs features#0, features#1)
 *                                                  AFTER:  a, b → trained → logits       (inputs of the same names)
 * </pre>
 */
final class CutPass {
    private CutPass() {
    }

    /**
     * @param g after {@link FreezePass}
     */
    static Graph run(Graph g, PlanRequest.Cut cut) {
        Set<Node> prefix = prefix(g, cut.frozen());
        List<Value> border = border(g, prefix);
        return switch (cut.side()) {
            case BEFORE -> before(g, border);
            case AFTER -> after(g, prefix, border);
        };
    }

    private static Graph before(Graph g, List<Value> border) {
        SequencedMap<String, Value> outputs = new LinkedHashMap<>();
        border.forEach(v -> outputs.put(PlanRequest.Cut.FEATURES + outputs.size(), v));
        return new Graph(g.inputs(), g.states(), g.nodes(), outputs, new LinkedHashMap<>()).prune();
    }

    private static Graph after(Graph g, Set<Node> prefix, List<Value> border) {
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (int i = 0; i < border.size(); i++) {
            b.replace(border.get(i), b.input(PlanRequest.Cut.FEATURES + i, border.get(i).type()));
        }
        g.nodes().stream().filter(n -> !prefix.contains(n)).forEach(b::copy);
        b.copyResults(g);
        return b.build().prune();
    }

    /** What depends on the image and on nothing that is trained. */
    private static Set<Node> prefix(Graph g, Set<String> frozen) {
        Set<Value> trained = new HashSet<>();
        for (State s : g.states(State.Kind.PARAMETER)) {
            if (!frozen.contains(s.name())) {
                trained.add(s.value());
            }
        }
        // Not from the counter: what is dropped differs from step to step.
        Set<Value> seen = new HashSet<>(g.inputs().stream().filter(v -> v.shape().rank() == 4).toList());
        Set<Node> prefix = new HashSet<>();
        for (Node n : g.nodes()) {
            boolean learns = n.inputs().stream().anyMatch(trained::contains);
            boolean sees = n.inputs().stream().anyMatch(seen::contains);
            if (learns) {
                trained.addAll(n.outputs());
            }
            if (sees) {
                seen.addAll(n.outputs());
            }
            if (sees && !learns) {
                prefix.add(n);
            }
        }
        return prefix;
    }

    private static List<Value> border(Graph g, Set<Node> prefix) {
        Set<Value> read = new HashSet<>(g.outputs().values());
        g.nodes().stream().filter(n -> !prefix.contains(n)).forEach(n -> read.addAll(n.inputs()));
        List<Value> border = new ArrayList<>();
        g.nodes().stream().filter(prefix::contains).forEach(n -> n.outputs().stream().filter(read::contains).forEach(border::add));
        return border;
    }
}
