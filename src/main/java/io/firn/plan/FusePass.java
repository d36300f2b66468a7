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
    private final Map<Value, Node> producers;
    private final Map<Value, List<Node>> consumers;
    private final Set<Value> results;
    private final Map<Node, Integer> position = new HashMap<>();
    private final Map<Node, Group> groupOf = new HashMap<>();

    /** Nodes that will be one launch, in graph order. */
    private static final class Group {
        private final List<Node> nodes = new ArrayList<>();
    }

    private FusePass(Graph graph, Kernels kernels) {
        this.graph = graph;
        this.kernels = kernels;
        producers = graph.producers();
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
            Group joined = (readers.isEmpty() ? ends : readers).stream().filter(g -> joins(n, g)).findFirst()
                    .orElseGet(Group::new);
            if (readers.isEmpty()) {
                ends.add(joined);
            }
            joined.nodes.addFirst(n);
            groupOf.put(n, joined);
        }
        return sorted(new LinkedHashSet<>(groupOf.values())).stream()
                .map(g -> Subgraph.of(g.nodes, v -> usedOutside(v, g))).toList();
    }

    /** Groups that read what {@code n} writes, the nearest first. */
    private Set<Group> readers(Node n) {
        Set<Group> found = new LinkedHashSet<>();
        n.outputs().stream().flatMap(v -> consumers.getOrDefault(v, List.of()).stream())
                .sorted(Comparator.comparing(position::get)).forEach(c -> found.add(groupOf.get(c)));
        return found;
    }

    private boolean joins(Node n, Group g) {
        if (g.nodes.getFirst().phase() != n.phase()) {
            return false;
        }
        List<Node> merged = new ArrayList<>(g.nodes.size() + 1);
        merged.add(n);
        merged.addAll(g.nodes);
        Set<Node> inside = new HashSet<>(merged);
        Set<Value> outputs = new HashSet<>();
        for (Node m : merged) {
            for (Value v : m.outputs()) {
                if (results.contains(v) || consumers.getOrDefault(v, List.of()).stream().anyMatch(c -> !inside.contains(c))) {
                    outputs.add(v);
                }
            }
        }
        return kernels.supports(merged, outputs) && !leadsBack(n, g);
    }

    /** Whether a path from {@code n} through another group reaches {@code g}: fused, each would wait for the other. */
    private boolean leadsBack(Node n, Group g) {
        Deque<Group> open = new ArrayDeque<>();
        Set<Group> seen = new HashSet<>();
        readers(n).stream().filter(r -> r != g).forEach(r -> {
            open.add(r);
            seen.add(r);
        });
        while (!open.isEmpty()) {
            for (Node m : open.poll().nodes) {
                for (Group r : readers(m)) {
                    if (r == g) {
                        return true;
                    }
                    if (seen.add(r)) {
                        open.add(r);
                    }
                }
            }
        }
        return false;
    }

    private boolean usedOutside(Value v, Group g) {
        return results.contains(v)
                || consumers.getOrDefault(v, List.of()).stream().anyMatch(c -> groupOf.get(c) != g);
    }

    /** Groups by dependency; among those that are ready, the one whose last node came first in the graph. */
    private List<Group> sorted(Set<Group> groups) {
        Map<Group, Integer> waiting = new HashMap<>();
        Map<Group, Set<Group>> after = new HashMap<>();
        for (Group g : groups) {
            Set<Group> before = new HashSet<>();
            for (Node n : g.nodes) {
                for (Value v : n.inputs()) {
                    Node p = producers.get(v);
                    if (p != null && groupOf.get(p) != g) {
                        before.add(groupOf.get(p));
                    }
                }
            }
            waiting.put(g, before.size());
            before.forEach(p -> after.computeIfAbsent(p, k -> new LinkedHashSet<>()).add(g));
        }
        PriorityQueue<Group> ready = new PriorityQueue<>(Comparator.comparing(g -> position.get(g.nodes.getLast())));
        groups.stream().filter(g -> waiting.get(g) == 0).forEach(ready::add);
        List<Group> order = new ArrayList<>();
        while (!ready.isEmpty()) {
            Group g = ready.poll();
            order.add(g);
            for (Group next : after.getOrDefault(g, Set.of())) {
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
