package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.Value;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * The launches to be while a graph is cut, node by node from the last to the first: whoever reads what a node writes has
 * its group by the time the node gets its own.
 */
final class Groups {
    private final Set<Value> results;
    private final Map<Node, Integer> position = new IdentityHashMap<>();
    /** Who reads each value, with the place in the graph of the first node there that does. */
    private final Map<Value, Map<Group, Integer>> readers = new HashMap<>();
    private final List<Group> all = new ArrayList<>();
    private int searches;

    /** Nodes that will be one launch, in graph order. */
    static final class Group {
        private final Deque<Node> nodes = new ArrayDeque<>();
        private final Set<String> recomputed = new LinkedHashSet<>();
        private final Set<String> reasons = new LinkedHashSet<>();
        /** Groups that read what this one writes. */
        private final Set<Group> readers = new LinkedHashSet<>();
        /** Place in the graph of its last node. */
        private final int last;
        private final Phase phase;
        /** The search that came by last. */
        private int seen;

        private Group(int last, Phase phase) {
            this.last = last;
            this.phase = phase;
        }

        Phase phase() {
            return phase;
        }

        Collection<Node> nodes() {
            return nodes;
        }

        /** Says that it computes a node of that name for itself, since that moves fewer bytes than any other way. */
        void recomputes(String name) {
            recomputed.add(name);
        }

        /** Says why it is as it is. */
        void because(String reason) {
            reasons.add(reason);
        }

        private String reason() {
            List<String> all = new ArrayList<>(reasons);
            if (!recomputed.isEmpty()) {
                all.addFirst("fewest bytes: recomputes " + String.join(", ", recomputed.stream().sorted().toList()));
            }
            return String.join("; ", all);
        }
    }

    Groups(Graph graph) {
        results = new HashSet<>(graph.outputs().values());
        results.addAll(graph.updates().values());
        for (Node n : graph.nodes()) {
            position.put(n, position.size());
        }
    }

    /** A group for this node, and others that may join it; the node itself is still to be added. */
    Group open(Node n) {
        Group g = new Group(position.get(n), n.phase());
        all.add(g);
        return g;
    }

    /** Adds a node of the graph to a group. */
    void add(Node n, Group g) {
        add(n, g, position.get(n));
        for (Group r : readers(n)) {
            if (r != g) {
                g.readers.add(r);
            }
        }
    }

    /** Adds a copy of {@code original} that only this group reads, under other values: its readers here read those. */
    void addCopy(Node copy, Node original, Group g) {
        Map<Value, Value> renamed = new HashMap<>();
        for (int i = 0; i < original.outputs().size(); i++) {
            renamed.put(original.outputs().get(i), copy.outputs().get(i));
            readers.getOrDefault(original.outputs().get(i), Map.of()).remove(g);
        }
        List<Node> rest = List.copyOf(g.nodes);
        g.nodes.clear();
        for (Node n : rest) {
            g.nodes.add(n.inputs().stream().noneMatch(renamed::containsKey) ? n : new Node(n.name(), n.phase(), n.op(),
                    n.inputs().stream().map(v -> renamed.getOrDefault(v, v)).toList(), n.outputs()));
        }
        copy.outputs().forEach(v -> readers.computeIfAbsent(v, _ -> new LinkedHashMap<>()).put(g, g.last));
        add(copy, g, position.get(original));
    }

    /** Adds the node itself, with another phase or name than it has in the graph. */
    void addAs(Node n, Node original, Group g) {
        position.put(n, position.get(original));
        add(n, g);
    }

    private void add(Node n, Group g, int place) {
        g.nodes.addFirst(n);
        n.inputs().forEach(v -> readers.computeIfAbsent(v, _ -> new LinkedHashMap<>()).put(g, place));
    }

    /** Groups that read what {@code n} writes, the nearest first. */
    List<Group> readers(Node n) {
        Map<Group, Integer> places = new LinkedHashMap<>();
        n.outputs().forEach(v -> readers.getOrDefault(v, Map.of()).forEach((g, p) -> places.merge(g, p, Math::min)));
        return places.entrySet().stream().sorted(Map.Entry.comparingByValue()).map(Map.Entry::getKey).toList();
    }

    /** Groups that read {@code v}. */
    Set<Group> readers(Value v) {
        return readers.getOrDefault(v, Map.of()).keySet();
    }

    /** Whether the caller of the step wants it. */
    boolean isResult(Value v) {
        return results.contains(v);
    }

    /** Whether anyone but this group reads it. */
    boolean usedOutside(Value v, Group g) {
        Set<Group> here = readers(v);
        return isResult(v) || here.size() > 1 || here.size() == 1 && !here.contains(g);
    }

    /** These nodes before the group's own. */
    static List<Node> merged(Collection<Node> nodes, Group g) {
        List<Node> merged = new ArrayList<>(nodes.size() + g.nodes.size());
        merged.addAll(nodes);
        merged.addAll(g.nodes);
        return merged;
    }

    /** What a launch of these nodes would write to memory, were they in group {@code g}. */
    Set<Value> outputs(Collection<Node> nodes, Group g) {
        Set<Value> outputs = new HashSet<>();
        for (Node m : nodes) {
            for (Value v : m.outputs()) {
                if (usedOutside(v, g)) {
                    outputs.add(v);
                }
            }
        }
        return outputs;
    }

    /** Whether a path from one of these groups, {@code g} itself aside, reaches it: fused, each would wait for the other. */
    boolean leadsBack(Collection<Group> from, Group g) {
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

    /** The subgraphs by dependency; among those that are ready, the one whose last node came first in the graph. */
    List<Partition.Part> parts() {
        Map<Group, Integer> waiting = new HashMap<>();
        all.forEach(g -> waiting.put(g, 0));
        all.forEach(g -> g.readers.forEach(r -> waiting.merge(r, 1, Integer::sum)));
        PriorityQueue<Group> ready = new PriorityQueue<>(Comparator.comparing(g -> g.last));
        all.stream().filter(g -> waiting.get(g) == 0).forEach(ready::add);
        List<Partition.Part> order = new ArrayList<>();
        while (!ready.isEmpty()) {
            Group g = ready.poll();
            order.add(new Partition.Part(Subgraph.of(List.copyOf(g.nodes), v -> usedOutside(v, g)),
                    g.reason()));
            for (Group next : g.readers) {
                if (waiting.merge(next, -1, Integer::sum) == 0) {
                    ready.add(next);
                }
            }
        }
        if (order.size() != all.size()) {
            throw new IllegalStateException("fused groups wait for each other");
        }
        return order;
    }
}
