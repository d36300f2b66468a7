package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Counter;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.List;
import java.util.stream.Collectors;

/** Builds the few nodes that a pass's test needs, and draws graphs as text: a line a node. */
final class PassGraph {
    private final GraphBuilder b = new GraphBuilder();

    Value image() {
        return b.input("image", Type.f32(2, 3, 4, 4));
    }

    Value conv(String name, Value x) {
        return b.add(name, new Convolution.Forward(1, 0, 1), x, b.parameter(name + ".weight", 3, 3, 1, 1));
    }

    Value norm(String name, Value x) {
        var out = b.addAll(name, new Normalization.BatchNorm(1e-5, 0.1), x, b.parameter(name + ".weight", 3),
                b.parameter(name + ".bias", 3), b.state(State.Kind.STATISTIC, name + ".mean", Type.f32(3)),
                b.state(State.Kind.STATISTIC, name + ".var", Type.f32(3)));
        b.update(name + ".mean", out.get(3));
        b.update(name + ".var", out.get(4));
        return out.getFirst();
    }

    Value silu(String name, Value x) {
        return b.add(name, new Activation.Forward(Activation.Kind.SILU), x);
    }

    Value relu(String name, Value x) {
        return b.add(name, new Activation.Forward(Activation.Kind.RELU), x);
    }

    Value add(String name, Value x, Value y) {
        return b.add(name, new Elementwise.Add(), x, y);
    }

    Value path(String name, Value x) {
        return b.add(name, new Drop.DropPath(0.5, 1), x, b.inputOnce("counter", Counter.TYPE));
    }

    Value average(String name, Value x) {
        return b.add(name, new Pooling.GlobalAverage(), x);
    }

    Value gate(String name, Value x, Value factors) {
        return b.add(name, new Gate.Scale(), x, factors);
    }

    Value linear(String name, Value x) {
        return b.add(name, new Linear.Forward(), x, b.parameter(name + ".weight", 3, x.shape().c()),
                b.parameter(name + ".bias", 3));
    }

    /** Ends the net: {@code logits} are a product of each channel's average. */
    Graph classify(Value x) {
        b.output("logits", linear("fc", average("avgpool", x)));
        return b.build();
    }

    Graph output(Value x) {
        b.output("y", x);
        return b.build();
    }

    GraphBuilder builder() {
        return b;
    }

    /** A line a node, {@code results = op(operands)}, then the outputs and updates. */
    static String draw(Graph g) {
        String nodes = g.nodes().stream().map(n -> "%s = %s(%s)\n".formatted(names(n.outputs()), n.op().label(),
                names(n.inputs()))).collect(Collectors.joining());
        String outputs = g.outputs().entrySet().stream().map(e -> "output %s = %s\n".formatted(e.getKey(),
                e.getValue().name())).collect(Collectors.joining());
        String updates = g.updates().entrySet().stream().map(e -> "update %s = %s\n".formatted(e.getKey(),
                e.getValue().name())).collect(Collectors.joining());
        return nodes + outputs + updates;
    }

    private static String names(List<Value> values) {
        return values.stream().map(Value::name).collect(Collectors.joining(", "));
    }
}
