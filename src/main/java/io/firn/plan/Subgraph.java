package io.firn.plan;

import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A few nodes that one launch computes together.
 *
 * @param nodes   in an order that respects their dependencies
 * @param inputs  values read from memory, each once
 * @param outputs values that others read, and so are written to memory
 */
public record Subgraph(List<Node> nodes, List<Value> inputs, List<Value> outputs) {

    public Subgraph {
        nodes = List.copyOf(nodes);
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** Of these nodes, with the outputs that are used elsewhere. */
    public static Subgraph of(List<Node> nodes, Predicate<Value> usedElsewhere) {
        Set<Value> written = new LinkedHashSet<>();
        Set<Value> read = new LinkedHashSet<>();
        for (Node n : nodes) {
            read.addAll(n.inputs());
            written.addAll(n.outputs());
        }
        return new Subgraph(nodes, read.stream().filter(v -> !written.contains(v)).toList(),
                written.stream().filter(usedElsewhere).toList());
    }

    public long flops() {
        return nodes.stream().mapToLong(Node::flops).sum();
    }

    /** The node that names the launch: the one that computes most, else the first. */
    public Node anchor() {
        Node best = nodes.getFirst();
        for (Node n : nodes) {
            if (n.flops() > best.flops()) {
                best = n;
            }
        }
        return best;
    }
}
