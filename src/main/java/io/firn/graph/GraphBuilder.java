package io.firn.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/** Builds a {@link Graph} node by node, inferring types. It can begin from nothing or copy another graph's parts. */
public final class GraphBuilder {
    private final List<Value> inputs = new ArrayList<>();
    private final Map<String, State> states = new LinkedHashMap<>();
    private final List<Node> nodes = new ArrayList<>();
    private final SequencedMap<String, Value> outputs = new LinkedHashMap<>();
    private final SequencedMap<String, Value> updates = new LinkedHashMap<>();
    private final Map<Value, Value> replaced = new HashMap<>();
    private int nextId;
    private Phase phase = Phase.FORWARD;

    public GraphBuilder() {
    }

    /** Starts with new values numbered above those of {@code other}, of which nothing is taken over yet. */
    public GraphBuilder(Graph other) {
        nextId = 1 + java.util.stream.Stream.of(other.inputs().stream(), other.states().stream().map(State::value),
                other.nodes().stream().flatMap(n -> n.outputs().stream())).flatMap(s -> s).mapToInt(Value::id).max()
                .orElse(-1);
    }

    /** Starts with the inputs and states of {@code other}; its nodes are to be copied, or others put in their place. */
    public static GraphBuilder rewriting(Graph other) {
        GraphBuilder b = new GraphBuilder(other);
        other.inputs().forEach(b::copyInput);
        other.states().forEach(b::copyState);
        return b;
    }

    /** Starts as a copy of {@code other}, to be added to. */
    public static GraphBuilder from(Graph other) {
        GraphBuilder b = rewriting(other);
        b.nodes.addAll(other.nodes());
        b.outputs.putAll(other.outputs());
        b.updates.putAll(other.updates());
        return b;
    }

    /** Nodes added from now on belong to this phase. */
    public GraphBuilder phase(Phase p) {
        phase = p;
        return this;
    }

    public Value input(String name, Type type) {
        Value v = new Value(nextId++, name, type);
        inputs.add(v);
        return v;
    }

    /** The input of that name, added where there is none yet. */
    public Value inputOnce(String name, Type type) {
        return inputs.stream().filter(v -> v.name().equals(name)).findFirst().orElseGet(() -> input(name, type));
    }

    public Value state(State.Kind kind, String name, Type type) {
        return state(kind, name, type, 0);
    }

    /** @param initial what each element begins with */
    public Value state(State.Kind kind, String name, Type type, double initial) {
        Value v = new Value(nextId++, name, type);
        State before = states.put(name, new State(kind, v, initial));
        Op.check(before == null, "two states are named %s", name);
        return v;
    }

    /** The state of that name, if there is one yet. */
    public Optional<State> state(String name) {
        return Optional.ofNullable(states.get(name));
    }

    public Value parameter(String name, int... dims) {
        return state(State.Kind.PARAMETER, name, Type.f32(dims));
    }

    /** Takes over an input of another graph as it is. */
    public void copyInput(Value v) {
        inputs.add(v);
    }

    /** Takes over a state of another graph as it is. */
    public void copyState(State s) {
        states.put(s.name(), s);
    }

    /** From now on, {@link #copy} reads {@code by} where the copied node read {@code old}. */
    public void replace(Value old, Value by) {
        replaced.put(old, by);
    }

    /** What {@code v} of the graph being copied is here. */
    public Value mapped(Value v) {
        return replaced.getOrDefault(v, v);
    }

    /** Takes over a node of another graph: the same output values, unless replaced inputs change their types. */
    public void copy(Node n) {
        List<Value> in = n.inputs().stream().map(this::mapped).toList();
        List<Type> types = n.op().infer(in.stream().map(Value::type).toList());
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            Value old = n.outputs().get(i);
            Value v = old.type().equals(types.get(i)) ? old : new Value(nextId++, old.name(), types.get(i));
            if (v != old) {
                replace(old, v);
            }
            out.add(v);
        }
        nodes.add(new Node(n.name(), n.phase(), n.op(), in, out));
    }

    /** Adds a node and returns all its outputs. */
    public List<Value> addAll(String name, Op op, Value... in) {
        return addAll(name, op, List.of(in));
    }

    public List<Value> addAll(String name, Op op, List<Value> in) {
        List<Type> types;
        try {
            types = op.infer(in.stream().map(Value::type).toList());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("%s (%s): %s".formatted(name, op.label(), e.getMessage()), e);
        }
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            out.add(new Value(nextId++, types.size() == 1 ? name : name + "#" + i, types.get(i)));
        }
        nodes.add(new Node(name, phase, op, in, out));
        return out;
    }

    /** Adds a node and returns its first output. */
    public Value add(String name, Op op, Value... in) {
        return addAll(name, op, in).getFirst();
    }

    public void output(String name, Value v) {
        outputs.put(name, v);
    }

    /** At the end of the step the state of that name becomes {@code v}. */
    public void update(String state, Value v) {
        updates.put(state, v);
    }

    /** Takes over outputs and updates of {@code other}, through the replacements made. */
    public void copyResults(Graph other) {
        other.outputs().forEach((name, v) -> outputs.put(name, mapped(v)));
        other.updates().forEach((name, v) -> updates.put(name, mapped(v)));
    }

    public Graph build() {
        return new Graph(inputs, List.copyOf(states.values()), nodes, outputs, updates);
    }
}
