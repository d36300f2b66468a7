package io.firn.plan;

import io.firn.graph.Conversion;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Cuts a graph into launches so that few bytes cross memory. From the last node to the first, a node joins whichever
 * launch saves most by it: one that reads what it writes, or one that reads what it reads. A cheap node may besides be
 * copied into some of its readers, which then read its operands instead. Which of them, and which launch writes it for
 * the others, is what reads and writes least; of two equal ways the one with fewer launches.
 *
 * <pre>
 * y, s = conv(x), statistics(y); a = relu(apply(y)); conv2(a) … relu_grad(conv2.dgrad, a), wgrad2(a)
 *   →   [conv statistics] [apply relu conv2] … [dgrad apply relu relu_grad grad_sums] [grad_apply apply relu → a] [wgrad2]
 * </pre>
 */
final class BytesPass {
    private final Graph graph;
    private final Kernels kernels;
    private final Groups groups;
    private final Chains chains;
    private final GraphBuilder values;
    private final Set<Groups.Group> ends = new LinkedHashSet<>();
    /** Launches of weights' casts, of those that the step changes and of those that it does not. */
    private final Map<Boolean, Set<Groups.Group>> starts = new HashMap<>();
    private final Map<Value, Boolean> changes = new HashMap<>();

    private BytesPass(Graph graph, Kernels kernels) {
        this.graph = graph;
        this.kernels = kernels;
        groups = new Groups(graph);
        chains = new Chains(graph, kernels);
        values = new GraphBuilder(graph);
        for (State s : graph.states()) {
            changes.put(s.value(), graph.updates().containsKey(s.name()));
        }
    }

    static Partition run(Graph graph, Kernels kernels) {
        BytesPass pass = new BytesPass(graph, kernels);
        for (Node n : graph.nodes().reversed()) {
            if (kernels.copies(n) && !pass.groups.readers(n).isEmpty()) {
                pass.place(n);
            } else {
                pass.join(n);
            }
        }
        List<Partition.Part> parts = pass.groups.parts();
        List<Node> nodes = parts.stream().flatMap(p -> p.subgraph().nodes().stream()).toList();
        return new Partition(new Graph(graph.inputs(), graph.states(), nodes, graph.outputs(), graph.updates()), parts);
    }

    /** Adds a node to the launch that saves most by it, or to one of its own. */
    private void join(Node n) {
        List<Groups.Group> readers = groups.readers(n);
        Set<Groups.Group> options = new LinkedHashSet<>(readers);
        if (readers.isEmpty()) {
            options.addAll(ends);
        }
        Set<Groups.Group> alike = new LinkedHashSet<>();
        if (n.op() instanceof Conversion.Cast && changes.containsKey(n.input(0))) {
            alike = starts.computeIfAbsent(changes.get(n.input(0)), _ -> new LinkedHashSet<>());
            options.addAll(alike);
        }
        n.inputs().stream().filter(Chains::isMap).forEach(v -> options.addAll(groups.readers(v)));
        Groups.Group best = null;
        long most = -1;
        String refusal = "";
        for (Groups.Group g : options) {
            if (g.phase() != n.phase()) {
                continue;
            }
            List<Node> merged = Groups.merged(List.of(n), g);
            Optional<String> no = kernels.refusal(merged, groups.outputs(merged, g));
            if (no.isPresent()) {
                refusal = refusal.isEmpty() && readers.contains(g) && Chains.isMap(n.output()) && n.flops() > 0 ? no.get() : refusal;
            } else {
                long saved = saving(n, g) - forgone(n, merged, g);
                if (saved > most && !groups.leadsBack(readers, g)) {
                    best = g;
                    most = saved;
                }
            }
        }
        if (best == null) {
            best = groups.open(n);
        }
        if (!refusal.isEmpty() && !readers.contains(best)) {
            best.because("alone, as " + refusal);
        }
        if (readers.isEmpty()) {
            ends.add(best);
        }
        if (n.op() instanceof Conversion.Cast) {
            alike.add(best);
        }
        groups.add(n, best);
    }

    /** Bytes that need not cross memory once a node is in this launch. */
    private long saving(Node n, Groups.Group g) {
        long saved = Chains.bytes(n.inputs().stream().distinct().filter(v -> groups.readers(v).contains(g)).toList());
        for (Value v : n.outputs()) {
            if (groups.readers(v).contains(g)) {
                saved += v.type().bytes() * (groups.usedOutside(v, g) ? 1 : 2);
            }
        }
        return saved;
    }

    /** Bytes that would not be read if who writes an operand shared the node's launch, but not with these nodes in it. */
    private long forgone(Node n, List<Node> merged, Groups.Group g) {
        long bytes = 0;
        for (Value v : n.inputs()) {
            Node p = chains.producer(v);
            if (p != null && p.phase() == n.phase() && kernels.supports(List.of(p, n), union(n.outputs(), v))) {
                List<Node> more = new ArrayList<>(List.of(p));
                more.addAll(merged);
                bytes += kernels.supports(more, union(groups.outputs(merged, g), v)) ? 0 : v.type().bytes();
            }
        }
        return bytes;
    }

    private static Set<Value> union(Collection<Value> values, Value one) {
        Set<Value> all = new HashSet<>(values);
        all.add(one);
        return all;
    }

    /**
     * One way to have a cheap node's value where it is read.
     *
     * @param cost   bytes read and written for it
     * @param copies launches that compute it for themselves
     * @param writer the launch that writes it for the rest; null where a new one does, if any must
     */
    private record Way(long cost, Set<Groups.Group> copies, Groups.Group writer, boolean written) {
    }

    /** Bytes that a launch would read more if it computed a node itself; and by which chain it can. */
    private record Inline(long cost, Chains.Chain chain) {
    }

    private void place(Node n) {
        Value v = n.output();
        List<Groups.Group> readers = groups.readers(n);
        Map<Groups.Group, Inline> inlines = new HashMap<>();
        for (Groups.Group r : readers) {
            inline(n, r, false).ifPresent(i -> inlines.put(r, i));
        }
        List<Way> ways = new ArrayList<>();
        if (!groups.isResult(v) && inlines.keySet().containsAll(readers)) {
            long cost = readers.stream().mapToLong(r -> inlines.get(r).cost).sum();
            long bonus = readers.size() == 1 ? producerFits(readers.getFirst(), inlines.get(readers.getFirst()).chain, false) : 0;
            ways.add(new Way(cost - bonus, new LinkedHashSet<>(readers), null, false));
        }
        Set<Groups.Group> writers = new LinkedHashSet<>(readers);
        chains.whole(n).roots().stream().filter(Chains::isMap).forEach(root -> writers.addAll(groups.readers(root)));
        for (Groups.Group w : writers) {
            inline(n, w, true).flatMap(i -> way(v, readers, inlines, w, i)).ifPresent(ways::add);
        }
        ways.add(ownLaunch(n, readers, inlines));
        Way best = ways.getFirst();
        for (Way w : ways) {
            best = w.cost < best.cost ? w : best;
        }
        apply(n, best, readers, inlines);
    }

    /** Where {@code g} can compute the node from what is in memory, alone or with a chain before it. */
    private Optional<Inline> inline(Node n, Groups.Group g, boolean writing) {
        if (n.phase().compareTo(g.phase()) > 0) {
            return Optional.empty();
        }
        for (Chains.Chain chain : List.of(chains.whole(n), Chains.single(n))) {
            List<Node> merged = Groups.merged(chain.nodes(), g);
            Set<Value> outputs = groups.outputs(g.nodes(), g);
            if (writing) {
                outputs.add(n.output());
            }
            if (kernels.refusal(merged, outputs).isEmpty()) {
                return Optional.of(new Inline(Chains.bytes(chain.roots().stream()
                        .filter(root -> !groups.readers(root).contains(g)).toList()), chain));
            }
        }
        return Optional.empty();
    }

    /** The node in the launch {@code w}, which writes it for those that do not compute it themselves. */
    private Optional<Way> way(Value v, List<Groups.Group> readers, Map<Groups.Group, Inline> inlines, Groups.Group w,
                              Inline own) {
        long bytes = v.type().bytes();
        long cost = own.cost + bytes;
        Set<Groups.Group> copies = new LinkedHashSet<>();
        List<Groups.Group> rest = new ArrayList<>();
        for (Groups.Group r : readers) {
            Inline i = inlines.get(r);
            if (r == w) {
                continue;
            }
            if (i != null && (i.cost < bytes || groups.leadsBack(List.of(r), w))) {
                copies.add(r);
                cost += i.cost;
            } else {
                rest.add(r);
                cost += bytes;
            }
        }
        if (groups.leadsBack(rest, w) || rest.isEmpty() && !groups.isResult(v)) {
            return Optional.empty();
        }
        return Optional.of(new Way(cost - (copies.isEmpty() ? producerFits(w, own.chain, true) : 0), copies, w, true));
    }

    private Way ownLaunch(Node n, List<Groups.Group> readers, Map<Groups.Group, Inline> inlines) {
        long bytes = n.output().type().bytes();
        Chains.Chain chain = chains.whole(n);
        if (kernels.refusal(chain.nodes(), Set.of(n.output())).isPresent()) {
            chain = Chains.single(n);
        }
        Set<Groups.Group> copies = new LinkedHashSet<>();
        long cost = chain.bytes() + bytes;
        for (Groups.Group r : readers) {
            Inline i = inlines.get(r);
            if (i != null && i.cost < bytes) {
                copies.add(r);
                cost += i.cost;
            } else {
                cost += bytes;
            }
        }
        return new Way(cost - (copies.isEmpty() ? producerFits(null, chain, true) : 0), copies, null, true);
    }

    /**
     * Bytes that are neither written nor read if the node that writes one of the chain's roots comes into the same launch,
     * which is only asked where nothing else computes the chain; {@code written} says whether the chain's result reaches
     * memory.
     */
    private long producerFits(Groups.Group g, Chains.Chain chain, boolean written) {
        long most = 0;
        for (Value root : chain.roots()) {
            Node p = chains.producer(root, chain);
            long bytes = 2 * root.type().bytes();
            if (p == null || bytes <= most) {
                continue;
            }
            List<Node> nodes = new ArrayList<>(List.of(p));
            nodes.addAll(chain.nodes());
            Set<Value> outputs = new HashSet<>(Set.of(chain.nodes().getLast().output()));
            if (g != null && g.phase() != p.phase()) {
                continue;
            }
            if (g != null) {
                nodes.addAll(g.nodes());
                outputs.addAll(groups.outputs(g.nodes(), g));
                if (!written) {
                    outputs.remove(chain.nodes().getLast().output());
                }
            }
            if (kernels.refusal(nodes, outputs).isEmpty()) {
                most = bytes;
            }
        }
        return most;
    }

    private void apply(Node n, Way way, List<Groups.Group> readers, Map<Groups.Group, Inline> inlines) {
        if (!way.written && readers.size() == 1 && readers.getFirst().phase() == n.phase()) {
            groups.add(n, readers.getFirst());
            return;
        }
        for (Groups.Group g : way.copies) {
            groups.addCopy(copy(n, g), n, g);
            g.recomputes(n.name());
        }
        if (!way.written) {
            return;
        }
        Groups.Group w = way.writer == null ? groups.open(n) : way.writer;
        if (w.phase() == n.phase()) {
            groups.add(n, w);
        } else {
            groups.addAs(new Node(n.name() + ".again", w.phase(), n.op(), n.inputs(), n.outputs()), n, w);
        }
        readers.stream().filter(r -> r != w && !inlines.containsKey(r)).findFirst()
                .flatMap(r -> kernels.refusal(Groups.merged(chains.whole(n).nodes(), r), groups.outputs(r.nodes(), r)))
                .ifPresent(no -> w.because("writes %s, as %s".formatted(n.name(), no)));
    }

    private Node copy(Node n, Groups.Group g) {
        List<Value> out = values.addAll(n.name() + ".again", n.op(), n.inputs());
        return new Node(n.name() + ".again", g.phase(), n.op(), n.inputs(), out);
    }
}
