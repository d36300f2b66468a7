package io.firn.plan;

import io.firn.graph.Conversion;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.Slicing;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Turns a step's graph into launches: cuts it into subgraphs, chooses a kernel and layouts for each, decides what is
 * prepared once, lets results take over buffers that end with them, and lays out memory.
 */
final class LowerPass {
    private final Partition partition;
    private final Graph graph;
    private final PlanRequest request;
    private final Target target;
    private final Kernels kernels;
    private final StateLayout states;
    private final SequencedMap<Value, Buffer> buffers = new LinkedHashMap<>();
    private final Map<Value, Layout> layouts = new HashMap<>();

    LowerPass(Graph graph, PlanRequest request, Target target, Kernels kernels, StateLayout states) {
        this.partition = kernels.fusesByBytes() ? BytesPass.run(graph, kernels)
                : UpdateOrder.run(FusePass.run(graph, kernels));
        this.graph = partition.graph();
        this.request = request;
        this.target = target;
        this.kernels = kernels;
        this.states = states;
    }

    /** A subgraph with the kernel chosen for it. */
    private record Choice(Subgraph subgraph, Candidate candidate, String reason) {
    }

    Plan run() {
        // Both parts of a network that is cut have the same, so that what crosses the cut fits.
        Layout activations = kernels.activationLayout(request.cut().isPresent() ? request.model() : graph);
        List<Choice> prepare = new ArrayList<>();
        List<Choice> step = new ArrayList<>();
        Set<Value> constant = constants();
        Set<Value> ready = new HashSet<>(graph.states().stream().map(State::value).toList());
        Map<Subgraph, Candidate> chosen = new HashMap<>();
        for (Partition.Part part : partition.parts()) {
            Subgraph s = part.subgraph();
            if (!isConversion(s)) {
                Candidate c = kernels.candidates(s, activations).getFirst();
                chosen.put(s, c);
                for (int i = 0; i < s.outputs().size(); i++) {
                    settle(s, s.outputs().get(i), c.outputs().get(i));
                }
                for (int i = 0; i < s.inputs().size(); i++) {
                    settle(s, s.inputs().get(i), c.inputs().get(i));
                }
            }
        }
        for (Partition.Part part : partition.parts()) {
            Subgraph s = part.subgraph();
            if (isConversion(s)) {
                // Casts also pack and unpack: their layouts are what their neighbours asked for.
                chosen.put(s, kernels.conversion(s, wanted(s.inputs()), wanted(s.outputs())));
            }
            Choice c = new Choice(s, chosen.get(s), part.reason());
            // A constant that is computed beside what changes is computed every step, and so is what reads it.
            boolean once = constant.containsAll(s.outputs()) && ready.containsAll(s.inputs());
            (once ? prepare : step).add(c);
            if (once) {
                ready.addAll(s.outputs());
            }
        }
        Scratch scratch = layOut(prepare, step);
        Estimate estimate = new Estimate(target, request.precision(), request.ranks());
        List<Launch> prepared = new ArrayList<>();
        List<Launch> launches = new ArrayList<>();
        for (int i = 0; i < prepare.size(); i++) {
            prepared.add(launch(prepare.get(i), scratch.workspaces[i], estimate));
        }
        for (int i = 0; i < step.size(); i++) {
            launches.add(launch(step.get(i), scratch.workspaces[prepare.size() + i], estimate));
        }
        return new Plan(request.name(), graph, target, request.precision(), activations, prepared, launches, buffers,
                scratch.bytes, scratch.live, kernels.versions());
    }

    private static boolean isConversion(Subgraph s) {
        return s.nodes().stream().allMatch(n -> n.op() instanceof Conversion.Cast);
    }

    /** The layouts that neighbours asked for; dense where none did. */
    private List<Layout> wanted(List<Value> values) {
        return values.stream().map(v -> layouts.computeIfAbsent(v, _ -> Layout.DENSE)).toList();
    }

    private void settle(Subgraph s, Value v, Layout wanted) {
        Layout known = layouts.putIfAbsent(v, wanted);
        if (known != null && !known.equals(wanted)) {
            throw new IllegalStateException("%s has %s in layout %s, but another launch in %s".formatted(
                    s.anchor().name(), v, wanted, known));
        }
    }

    private Launch launch(Choice c, long workspaceOffset, Estimate estimate) {
        Subgraph s = c.subgraph;
        List<Buffer> in = s.inputs().stream().map(buffers::get).toList();
        List<Buffer> out = s.outputs().stream().map(buffers::get).toList();
        long bytes = joins(s) ? 0 : in.stream().mapToLong(Buffer::bytes).sum() + out.stream().mapToLong(Buffer::bytes).sum();
        if (target.device() instanceof Target.Device.Gpu) {
            // What a first kernel leaves there for a second one crosses memory as well.
            bytes += 2 * c.candidate.workspace();
        }
        Phase phase = s.nodes().getFirst().phase();
        return new Launch(s.anchor().name(), phase, Streams.of(s), c.candidate.kernel(), s, in, out, c.candidate.workspace(),
                workspaceOffset, s.flops(), bytes, estimate.milliseconds(s, bytes), c.reason);
    }

    /** Whether it moves nothing: what it joins is in its place. */
    private static boolean joins(Subgraph s) {
        return s.nodes().getFirst().op() instanceof Slicing.Cat;
    }

    /** Values that depend on nothing but states which this plan leaves as they are. */
    private Set<Value> constants() {
        Set<Value> constant = new HashSet<>();
        // Sums of gradients are changed by another plan before every step of this one.
        graph.states().stream().filter(s -> s.kind() != State.Kind.GRADIENT && !graph.updates().containsKey(s.name()))
                .map(State::value).forEach(constant::add);
        for (Node n : graph.nodes()) {
            if (!n.inputs().isEmpty() && constant.containsAll(n.inputs())) {
                constant.addAll(n.outputs());
            }
        }
        return constant;
    }

    /** Where the launches' workspaces lie, and how large the scratch arena is. */
    private record Scratch(long[] workspaces, long bytes, long live) {
    }

    private Scratch layOut(List<Choice> prepare, List<Choice> step) {
        List<Choice> all = new ArrayList<>(prepare);
        all.addAll(step);
        int end = all.size();
        Map<Value, Integer> firstUse = new HashMap<>();
        Map<Value, Integer> lastUse = new HashMap<>();
        for (Value v : graph.inputs()) {
            firstUse.put(v, 0);
        }
        // What the caller may write or read between steps, and what is prepared once for them, is never overwritten.
        Set<Value> lasting = new HashSet<>(graph.inputs());
        lasting.addAll(graph.outputs().values());
        for (int i = 0; i < end; i++) {
            Subgraph s = all.get(i).subgraph;
            for (Value v : s.outputs()) {
                firstUse.put(v, i);
                lastUse.put(v, i);
            }
            for (Value v : s.inputs()) {
                lastUse.put(v, i);
                if (i >= prepare.size() && firstUse.getOrDefault(v, end) < prepare.size()) {
                    lasting.add(v);
                }
            }
        }
        lasting.forEach(v -> lastUse.put(v, end));
        // A collective reads until someone waits for it; only its own results may lie there before.
        int[] joins = Streams.joins(all.stream().map(Choice::subgraph).toList());
        keepForCollectives(all, joins, lastUse, false);
        placeStates();
        Map<Value, Part> parts = parts();
        parts.forEach((v, p) -> firstUse.merge(p.whole, firstUse.get(v), Math::min));
        Map<Value, Value> takenOver = takeOver(all, lasting, lastUse, parts.keySet());
        keepForCollectives(all, joins, lastUse, true);

        // A buffer lives until the last value that takes it over has been read.
        takenOver.keySet().forEach(v -> lastUse.merge(root(v, takenOver), lastUse.get(v), Math::max));

        List<Value> owners = new ArrayList<>();
        List<MemoryPass.Block> blocks = new ArrayList<>();
        firstUse.keySet().stream().sorted(Comparator.comparing(Value::id)).forEach(v -> {
            if (buffers.containsKey(v) || takenOver.containsKey(v) || parts.containsKey(v)) {
                return;
            }
            int last = lastUse.getOrDefault(v, firstUse.get(v));
            owners.add(v);
            blocks.add(new MemoryPass.Block(firstUse.get(v), last, layouts.getOrDefault(v, Layout.DENSE).bytes(v.type())));
        });
        int values = blocks.size();
        int[] workspaceBlock = new int[end];
        for (int i = 0; i < end; i++) {
            workspaceBlock[i] = -1;
            if (all.get(i).candidate.workspace() > 0) {
                workspaceBlock[i] = blocks.size();
                blocks.add(new MemoryPass.Block(i, i, all.get(i).candidate.workspace()));
            }
        }
        MemoryPass.Arrangement a = MemoryPass.arrange(blocks);
        for (int i = 0; i < values; i++) {
            Value v = owners.get(i);
            buffers.put(v, new Buffer(Buffer.Arena.SCRATCH, a.offsets()[i], v.type(),
                    layouts.getOrDefault(v, Layout.DENSE)));
        }
        parts.forEach((v, p) -> {
            Buffer whole = buffers.get(p.whole);
            buffers.put(v, new Buffer(whole.arena(), whole.offset() + p.offset, v.type(), layouts.get(v)));
        });
        for (Value v : takenOver.keySet()) {
            Buffer b = buffers.get(root(v, takenOver));
            buffers.put(v, new Buffer(b.arena(), b.offset(), v.type(), layouts.get(v)));
        }
        long[] workspaces = new long[end];
        for (int i = 0; i < end; i++) {
            workspaces[i] = workspaceBlock[i] < 0 ? 0 : a.offsets()[workspaceBlock[i]];
        }
        return new Scratch(workspaces, a.bytes(), MemoryPass.live(blocks));
    }

    /** @param own whether those operands are meant that the collective is the last to read */
    private static void keepForCollectives(List<Choice> all, int[] joins, Map<Value, Integer> lastUse, boolean own) {
        for (int i = 0; i < joins.length; i++) {
            if (Streams.of(all.get(i).subgraph()) == Streams.COLLECTIVES) {
                for (Value v : all.get(i).subgraph().inputs()) {
                    if (own || lastUse.get(v) > i) {
                        lastUse.merge(v, joins[i], Math::max);
                    }
                }
            }
        }
    }

    /** Where a slice's result lies in the batch that is joined of it. */
    private record Part(Value whole, long offset) {
    }

    /** What is joined is written to where it is read after. */
    private Map<Value, Part> parts() {
        Map<Value, Part> parts = new LinkedHashMap<>();
        for (Node n : graph.nodes()) {
            long offset = 0;
            for (Value v : n.op() instanceof Slicing.Cat ? n.inputs() : List.<Value>of()) {
                parts.put(v, new Part(n.output(), offset));
                offset += layouts.get(v).bytes(v.type());
            }
        }
        return parts;
    }

    /** States lie where the program has them; what replaces a state is written over it. */
    private void placeStates() {
        for (State s : graph.states()) {
            dense(s.value());
            buffers.put(s.value(), states.buffers().get(s.name()));
        }
        graph.updates().forEach((name, v) -> {
            dense(v);
            buffers.putIfAbsent(v, states.buffers().get(name));
        });
    }

    private void dense(Value v) {
        if (!layouts.getOrDefault(v, Layout.DENSE).equals(Layout.DENSE)) {
            throw new IllegalStateException("states are dense, but a kernel wants %s as %s".formatted(v, layouts.get(v)));
        }
    }

    /** Which results are written over an operand that ends with their launch, where the kernel can do that. */
    private Map<Value, Value> takeOver(List<Choice> all, Set<Value> lasting, Map<Value, Integer> lastUse,
                                       Set<Value> parts) {
        Map<Value, Value> taken = new LinkedHashMap<>();
        for (int i = 0; i < all.size(); i++) {
            Choice c = all.get(i);
            Set<Value> used = new HashSet<>();
            for (int o = 0; o < c.subgraph.outputs().size(); o++) {
                Value out = c.subgraph.outputs().get(o);
                if (buffers.containsKey(out) || lasting.contains(out) || parts.contains(out)) {
                    continue;
                }
                int launch = i;
                c.candidate.inPlace().get(o).stream().map(c.subgraph.inputs()::get)
                        .filter(in -> lastUse.get(in) == launch && !lasting.contains(in) && !buffers.containsKey(in)
                                && !used.contains(in)
                                && layouts.get(in).bytes(in.type()) == layouts.get(out).bytes(out.type()))
                        .findFirst().ifPresent(in -> {
                            used.add(in);
                            taken.put(out, in);
                        });
            }
        }
        return taken;
    }

    private static Value root(Value v, Map<Value, Value> takenOver) {
        Value r = v;
        while (takenOver.containsKey(r)) {
            r = takenOver.get(r);
        }
        return r;
    }
}
