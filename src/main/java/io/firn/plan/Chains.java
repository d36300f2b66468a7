package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a launch that computes a cheap node for itself would compute before it as well, so that it reads from memory no
 * more than it must: cheap nodes whose own operands are no more to read than what they write, such as batch norm's apply
 * from the convolution's output, and those that nobody else reads.
 */
final class Chains {
    private final Kernels kernels;
    private final Map<Value, Node> producers;
    private final Map<Value, List<Node>> consumers;
    private final Map<Node, Boolean> light = new HashMap<>();

    /**
     * A cheap node with what comes before it.
     *
     * @param nodes in graph order; the node itself is the last
     * @param roots what they read
     */
    record Chain(List<Node> nodes, Set<Value> roots) {
        long bytes() {
            return Chains.bytes(roots);
        }
    }

    Chains(Graph graph, Kernels kernels) {
        this.kernels = kernels;
        producers = graph.producers();
        consumers = graph.consumers();
    }

    /** The node with all that may come with it. */
    Chain whole(Node n) {
        Set<Node> nodes = new LinkedHashSet<>();
        Set<Value> roots = new LinkedHashSet<>();
        expand(n, nodes, roots);
        return new Chain(List.copyOf(nodes), roots);
    }

    /** The node alone. */
    static Chain single(Node n) {
        return new Chain(List.of(n), new LinkedHashSet<>(n.inputs()));
    }

    /**
     * A node that could write a root into the same launch instead of to memory, since nothing but the chain reads it;
     * null where there is none.
     */
    Node producer(Value root, Chain chain) {
        Node p = producer(root);
        return p != null && chain.nodes.containsAll(consumers.get(root)) ? p : null;
    }

    /** The node that writes an activation, unless it is cheap: null then. */
    Node producer(Value v) {
        Node p = producers.get(v);
        return p != null && isMap(v) && !kernels.copies(p) ? p : null;
    }

    private void expand(Node n, Set<Node> nodes, Set<Value> roots) {
        for (Value v : n.inputs()) {
            Node p = producers.get(v);
            if (p != null && kernels.copies(p) && (consumers.get(v).size() == 1 || isLight(p))) {
                expand(p, nodes, roots);
            } else {
                roots.add(v);
            }
        }
        nodes.add(n);
    }

    private boolean isLight(Node n) {
        Boolean known = light.get(n);
        if (known == null) {
            Set<Value> roots = new LinkedHashSet<>();
            for (Value v : n.inputs()) {
                Node p = producers.get(v);
                if (p != null && kernels.copies(p) && isLight(p)) {
                    expand(p, new LinkedHashSet<>(), roots);
                } else {
                    roots.add(v);
                }
            }
            known = bytes(roots.stream().filter(Chains::isMap).toList()) <= n.output().type().bytes();
            light.put(n, known);
        }
        return known;
    }

    /** Whether it is an activation, beside which vectors and factors by channel are nothing to read. */
    static boolean isMap(Value v) {
        return v.shape().rank() == 4;
    }

    static long bytes(Collection<Value> values) {
        return values.stream().mapToLong(v -> v.type().bytes()).sum();
    }
}
