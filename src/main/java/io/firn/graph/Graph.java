package io.firn.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SequencedMap;

/**
 * An immutable computation: inputs and named states go in, nodes in an order that respects their dependencies compute,
 * named outputs come out, and some states are replaced.
 *
 * @param inputs  what the caller provides each step ({@code image} or {@code pixels}, {@code labels}, {@code rates}, …)
 * @param states  parameters, running statistics and optimizer slots
 * @param outputs what the caller may read after the step, by name
 * @param updates what each state's tensor becomes at the end of the step, by the state's name
 */
public record Graph(List<Value> inputs, List<State> states, List<Node> nodes, SequencedMap<String, Value> outputs,
                    SequencedMap<String, Value> updates) {

    public Graph {
        inputs = List.copyOf(inputs);
        states = List.copyOf(states);
        nodes = List.copyOf(nodes);
        outputs = java.util.Collections.unmodifiableSequencedMap(new LinkedHashMap<>(outputs));
        updates = java.util.Collections.unmodifiableSequencedMap(new LinkedHashMap<>(updates));
        verify(inputs, states, nodes, outputs, updates);
    }

    private static void verify(List<Value> inputs, List<State> states, List<Node> nodes, Map<String, Value> outputs,
                               Map<String, Value> updates) {
        Set<Value> known = new HashSet<>(inputs);
        Map<String, Value> byName = new HashMap<>();
        for (State s : states) {
            Op.check(byName.put(s.name(), s.value()) == null, "two states are named %s", s.name());
            known.add(s.value());
        }
        Set<Integer> ids = new HashSet<>();
        known.forEach(v -> Op.check(ids.add(v.id()), "%s shares its number with another value", v));
        for (Node n : nodes) {
            Op.check(known.containsAll(n.inputs()), "%s reads a value before it is written", n);
            Op.check(n.op().infer(n.inputTypes()).equals(n.outputTypes()), "%s has wrong types", n);
            for (Value v : n.outputs()) {
                Op.check(ids.add(v.id()), "%s is written twice", v);
                known.add(v);
            }
        }
        outputs.forEach((name, v) -> Op.check(known.contains(v), "output %s = %s is never written", name, v));
        updates.forEach((name, v) -> {
            Op.check(known.contains(v), "new %s = %s is never written", name, v);
            Op.check(byName.containsKey(name), "no state is named %s", name);
            Op.same(byName.get(name).type(), v.type());
        });
    }

    /** The node that writes each value; inputs and states are absent. */
    public Map<Value, Node> producers() {
        Map<Value, Node> map = new HashMap<>();
        nodes.forEach(n -> n.outputs().forEach(v -> map.put(v, n)));
        return map;
    }

    /** The nodes that read each value, in order; a node that reads it twice is listed once. */
    public Map<Value, List<Node>> consumers() {
        Map<Value, List<Node>> map = new HashMap<>();
        for (Node n : nodes) {
            for (Value v : new HashSet<>(n.inputs())) {
                map.computeIfAbsent(v, k -> new ArrayList<>()).add(n);
            }
        }
        return map;
    }

    /** The same graph with only the given outputs and updates, and without the nodes, states and inputs these do not need. */
    public Graph prune(Collection<String> keptOutputs, Collection<String> keptUpdates) {
        SequencedMap<String, Value> out = new LinkedHashMap<>(outputs);
        out.keySet().retainAll(keptOutputs);
        SequencedMap<String, Value> up = new LinkedHashMap<>(updates);
        up.keySet().retainAll(keptUpdates);
        Set<Value> wanted = new HashSet<>(out.values());
        wanted.addAll(up.values());
        List<Node> kept = new ArrayList<>();
        for (Node n : nodes.reversed()) {
            if (n.outputs().stream().anyMatch(wanted::contains)) {
                kept.addFirst(n);
                wanted.addAll(n.inputs());
            }
        }
        return new Graph(inputs.stream().filter(wanted::contains).toList(),
                states.stream().filter(s -> wanted.contains(s.value()) || up.containsKey(s.name())).toList(), kept, out, up);
    }

    /** Without nodes that nothing needs. */
    public Graph prune() {
        return prune(outputs.keySet(), updates.keySet());
    }

    /** The state of that name. */
    public State state(String name) {
        return states.stream().filter(s -> s.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no state is named " + name));
    }

    public Value input(String name) {
        return inputs.stream().filter(v -> v.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no input is named " + name));
    }

    public Value output(String name) {
        Value v = outputs.get(name);
        Op.check(v != null, "no output is named %s", name);
        return v;
    }

    public List<State> states(State.Kind kind) {
        return states.stream().filter(s -> s.kind() == kind).toList();
    }

    /** Number of trainable scalars. */
    public long parameterCount() {
        return states(State.Kind.PARAMETER).stream().mapToLong(s -> s.value().shape().elements()).sum();
    }
}
