package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Partitions the graph into the subgraphs that one launch each computes. From the last node to the first, a node joins
 * the group of its nearest reader where the catalogue supports the larger group and no path leads out of the group and
 * back in. What a node of a group hands to another no longer crosses memory.
 *
 * <pre>
 * [bn_statistics] [bn_finalise] [bn_apply] [add] [relu]   →   [bn_statistics+bn_finalise+bn_apply+add+relu]
 * </pre>
 */
final class FusePass {
    private final Graph graph;
    private final Kernels kernels;
    private final Map<Value, List<Node>> consumers;
    private final Set<Value> results;
    private final Map<Node, Integer> position = new IdentityHashMap<>();
    private final Map<Node, Group> groupOf = new IdentityHashMap<>();
    private int searches;

    /** Nodes that will be one launch, in graph order. */
    private static final class Group {
        private final Deque<Node> nodes = new ArrayDeque<>();
        /** Groups that read what this one writes; all are known when a node joins, since readers are grouped before. */
        private final Set<Group> readers = new LinkedHashSet<>();
        /** The search that came by last. */
        private int seen;
    }

    private FusePass(Graph graph, Kernels kernels) {
        this.graph = graph;
        this.kernels = kernels;
        consumers = graph.consumers();
        results = new HashSet<>(graph.outputs().values());
        results.addAll(graph.updates().values());
        for (Node n : graph.nodes()) {
            position.put(n, position.size());
        }
    }

    /** Subgraphs in an order that respects their dependencies. */
    static List<Subgraph> run(Graph graph, Kernels kernels) {
        return new FusePass(graph, kernels).fuse();
    }

    private List<Subgraph> fuse() {
        Set<Group> ends = new LinkedHashSet<>();
        for (Node n : graph.nodes().reversed()) {
            Set<Group> readers = readers(n);
            // What nothing reads, such as the optimizer's steps, may be one launch with its like.
            Group joined = (readers.isEmpty() ? ends : readers).stream().filter(g -> joins(n, g, readers)).findFirst()
                    .orElseGet(Group::new);
            if (readers.isEmpty()) {
                ends.add(joined);
            }
            joined.nodes.addFirst(n);
            joined.readers.addAll(readers);
            joined.readers.remove(joined);
            groupOf.put(n, joined);
        }
        return sorted(new LinkedHashSet<>(groupOf.values())).stream()
                .map(g -> Subgraph.of(List.copyOf(g.nodes), v -> usedOutside(v, g))).toList();
    }

    /** Groups that read what {@code n} writes, the nearest first. */
    private Set<Group> readers(Node n) {
        Set<Group> found = new LinkedHashSet<>();
        n.outputs().stream().flatMap(v -> consumers.getOrDefault(v, List.of()).stream())
                .sorted(Comparator.comparing(position::get)).forEach(c -> found.add(groupOf.get(c)));
        return found;
    }

    private boolean joins(Node n, Group g, Set<Group> readers) {
        if (g.nodes.getFirst().phase() != n.phase()) {
            return false;
        }
        List<Node> merged = new ArrayList<>(g.nodes.size() + 1);
        merged.add(n);
        merged.addAll(g.nodes);
        Set<Value> outputs = new HashSet<>();
        for (Node m : merged) {
            for (Value v : m.outputs()) {
                // No result of a group is read by n, which comes before, so all its readers have their groups.
                if (usedOutside(v, g)) {
                    outputs.add(v);
                }
            }
        }
        return kernels.supports(merged, outputs) && !leadsBack(readers, g);
    }

    /** Whether a path from one of these groups, {@code g} itself aside, reaches it: fused, each would wait for the other. */
    private boolean leadsBack(Set<Group> from, Group g) {
        searches++;
        Deque<Group> open = new ArrayDeque<>();
        g.seen = searches;
        for (Group r : from) {
            visit(r, open);
        }
        while (!open.isEmpty()) {
            for (Group r : open.poll().readers) {
                if (r == g) {
                    return true;
                }
                visit(r, open);
            }
        }
        return false;
    }

    private void visit(Group r, Deque<Group> open) {
        if (r.seen != searches) {
            r.seen = searches;
            open.add(r);
        }
    }

    private boolean usedOutside(Value v, Group g) {
        return results.contains(v)
                || consumers.getOrDefault(v, List.of()).stream().anyMatch(c -> groupOf.get(c) != g);
    }

    /** Groups by dependency; among those that are ready, the one whose last node came first in the graph. */
    private List<Group> sorted(Set<Group> groups) {
        Map<Group, Integer> waiting = new HashMap<>();
        groups.forEach(g -> waiting.put(g, 0));
        groups.forEach(g -> g.readers.forEach(r -> waiting.merge(r, 1, Integer::sum)));
        PriorityQueue<Group> ready = new PriorityQueue<>(Comparator.comparing(g -> position.get(g.nodes.getLast())));
        groups.stream().filter(g -> waiting.get(g) == 0).forEach(ready::add);
        List<Group> order = new ArrayList<>();
        while (!ready.isEmpty()) {
            Group g = ready.poll();
            order.add(g);
            for (Group next : g.readers) {
                if (waiting.merge(next, -1, Integer::sum) == 0) {
                    ready.add(next);
                }
            }
        }
        if (order.size() != groups.size()) {
            throw new IllegalStateException("fused groups wait for each other");
        }
        return order;
    }
}
