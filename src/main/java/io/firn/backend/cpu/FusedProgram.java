package io.firn.backend.cpu;

import io.firn.graph.Drop;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.plan.Layout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A subgraph sorted into passes over its activations. A node that reads what is summed up over pixels belongs to a
 * later pass than the sum; everything is stored in the first pass that can, and later passes read it or compute it
 * again from what they load. Where a store would overwrite what a later pass reads, it moves to that pass.
 */
final class FusedProgram {

    /** One pass: channel vectors that are made before it, then loops strip by strip. */
    record Pass(List<VectorStage> before, List<Step> steps, Coefficients coefficients, List<Integer> reductions,
                int[] loaded, int[] stored, int[] tensors) {
        boolean perSample(List<Reduction> all) {
            return reductions.stream().anyMatch(r -> all.get(r).perSample);
        }
    }

    private final Map<Value, Node> producers = new HashMap<>();
    private final Map<Value, Integer> levels = new HashMap<>();
    private final Map<Value, Tensor> tensors = new HashMap<>();
    private final List<Reduction> reductions = new ArrayList<>();
    private final List<Node> drops = new ArrayList<>();
    private final Map<Value, Integer> storePass = new HashMap<>();
    private final List<Node> nodes;
    private final Function<Value, Tensor> bind;
    private final Set<Value> outputs;
    private final Slots slots;
    private final List<Pass> passes = new ArrayList<>();
    /** Memory for vectors that only this launch uses; freed with it. */
    private final Arena arena = Arena.ofAuto();
    private final boolean blocked;
    private int current;

    FusedProgram(List<Node> nodes, Function<Value, Tensor> bind, Set<Value> outputs) {
        this.nodes = nodes;
        this.bind = bind;
        this.outputs = outputs;
        nodes.forEach(n -> n.outputs().forEach(v -> producers.put(v, n)));
        slots = new Slots(this::tensor);
        blocked = allBlocked();
        int count = level();
        boolean moved = true;
        for (int attempt = 0; moved; attempt++) {
            passes.clear();
            for (int p = 0; p < count; p++) {
                passes.add(compile(p));
            }
            moved = delayStores(attempt > count);
        }
        checkOverlaps();
    }

    /** Gives every value its first pass and every node its place; returns the number of passes, vector stages included. */
    private int level() {
        Map<Node, Reduction> byNode = new HashMap<>();
        int last = 0;
        for (Node n : nodes) {
            int level = n.inputs().stream().mapToInt(v -> levels.getOrDefault(v, 0)).max().orElse(0);
            boolean sums = Reduction.isReduction(n);
            n.outputs().forEach(v -> levels.put(v, sums ? level + 1 : level));
            if (sums) {
                Reduction r = new Reduction(n, this::tensor);
                byNode.put(n, r);
                reductions.add(r);
            } else if (n.op() instanceof Drop) {
                drops.add(n);
            }
            n.outputs().stream().filter(v -> outputs.contains(v) && v.shape().rank() == 4)
                    .forEach(v -> storePass.put(v, level));
            last = Math.max(last, level);
        }
        return last + 1;
    }

    private Pass compile(int pass) {
        current = pass;
        List<Value> stores = nodes.stream().flatMap(n -> n.outputs().stream())
                .filter(v -> storePass.getOrDefault(v, -1) == pass).toList();
        List<Integer> sums = new ArrayList<>();
        for (int r = 0; r < reductions.size(); r++) {
            if (levels.get(reductions.get(r).node.output()) == pass + 1) {
                sums.add(r);
            }
        }
        PassCompiler compiler = new PassCompiler(this, slots, stores, sums);
        Set<Integer> loaded = new HashSet<>();
        Set<Integer> stored = new HashSet<>();
        for (StepBuilder s : compiler.steps()) {
            for (int i = 0; i < Loop.OPERANDS; i++) {
                if (s.slot(i) >= 0 && !slots.isStrip(s.slot(i))) {
                    (i < Loop.U ? loaded : stored).add(s.slot(i));
                }
            }
        }
        loaded.removeAll(stored.stream().filter(s -> outputOfPass(s, stores)).toList());
        Set<Integer> all = new HashSet<>(loaded);
        all.addAll(stored);
        return new Pass(stages(pass), compiler.steps().stream().map(s -> s.build(slots, blocked(), hasEdge())).toList(),
                compiler.coefficients(), sums, sorted(loaded), sorted(stored), sorted(all));
    }

    private boolean outputOfPass(int slot, List<Value> stores) {
        return stores.stream().anyMatch(v -> slots.of(v) == slot);
    }

    private static int[] sorted(Set<Integer> set) {
        return set.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    private List<VectorStage> stages(int pass) {
        return nodes.stream().filter(VectorStage::isVectorOp).filter(n -> levels.get(n.output()) == pass)
                .map(n -> new VectorStage(n, this::tensor, reductions.stream()
                        .filter(r -> r.node == producers.get(n.input(0))).findFirst().orElse(null))).toList();
    }

    /** Moves stores over what later passes read; true where any was. */
    private boolean delayStores(boolean fail) {
        boolean moved = false;
        for (int p = 0; p < passes.size(); p++) {
            for (int q = p + 1; q < passes.size(); q++) {
                for (Value v : List.copyOf(storePass.keySet())) {
                    for (int slot : passes.get(q).loaded()) {
                        if (storePass.get(v) == p && slots.alias(slots.of(v), slot)) {
                            if (fail) {
                                throw new IllegalArgumentException("%s cannot be stored over what is read later".formatted(v));
                            }
                            storePass.put(v, q);
                            moved = true;
                        }
                    }
                }
            }
        }
        return moved;
    }

    /** A result may lie exactly on an input of its own type, whose elements are read just before; not elsewhere on one. */
    private void checkOverlaps() {
        for (int p = 0; p < passes.size(); p++) {
            for (int to : passes.get(p).stored()) {
                for (int q = p; q < passes.size(); q++) {
                    for (int from : passes.get(q).loaded()) {
                        Op.check(from == to || !slots.overlapInexactly(from, to), "%s overlaps %s", slots.tensor(to),
                                slots.tensor(from));
                    }
                }
            }
        }
    }

    Node producer(Value v) {
        return producers.get(v);
    }

    /** Whether the pass at hand finds an activation in memory. */
    boolean isMemory(Value v) {
        return !producers.containsKey(v) || storePass.getOrDefault(v, Integer.MAX_VALUE) < current;
    }

    /** Where a value lies; vectors and matrices that are not to be stored get a place that only this launch knows. */
    Tensor tensor(Value v) {
        return tensors.computeIfAbsent(v, k -> {
            if (producers.containsKey(k) && !outputs.contains(k)) {
                if (k.shape().rank() == 4) {
                    throw new IllegalStateException(k + " has no memory");
                }
                return new Tensor(arena.allocate(Layout.DENSE.bytes(k.type()), Frame.VECTOR).address(), k.type(), Layout.DENSE);
            }
            return bind.apply(k);
        });
    }

    int drop(Node n) {
        return drops.indexOf(n);
    }

    List<Node> drops() {
        return drops;
    }

    List<Reduction> reductions() {
        return reductions;
    }

    List<Pass> passes() {
        return passes;
    }

    Slots slots() {
        return slots;
    }

    /** The activations' type; null where the subgraph has none. */
    Type activation() {
        return nodes.stream().flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream()))
                .map(Value::type).filter(t -> t.shape().rank() == 4).findFirst().orElse(null);
    }

    /** Channels that the vector stages work on, where there are no activations. */
    int channels() {
        Type x = activation();
        return x != null ? x.shape().c() : nodes.getFirst().input(0).shape().dim(0);
    }

    /** Whether the activations lie in blocks of 16 channels. */
    boolean blocked() {
        return blocked;
    }

    /** The one layout of all activations in memory. */
    private boolean allBlocked() {
        Set<Layout> layouts = nodes.stream().flatMap(n -> Stream.concat(n.inputs().stream(), n.outputs().stream()))
                .filter(v -> v.shape().rank() == 4 && (!producers.containsKey(v) || outputs.contains(v)))
                .map(v -> tensor(v).layout()).collect(Collectors.toSet());
        Op.check(layouts.size() <= 1 && Set.of(Layout.NHWC, Layout.BLOCKED16).containsAll(layouts),
                "activations of a fused launch lie in %s", layouts);
        return !layouts.contains(Layout.NHWC);
    }

    private boolean hasEdge() {
        return !blocked() && channels() % Simd.LANES != 0;
    }
}
