package io.firn.graph;

import java.util.List;

/** One application of an op. {@code name} is the module's dotted name (torchvision's), with a suffix for derived ops. */
public record Node(String name, Phase phase, Op op, List<Value> inputs, List<Value> outputs) {

    public Node {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    public Value output() {
        return outputs.getFirst();
    }

    public Value input(int i) {
        return inputs.get(i);
    }

    public List<Type> inputTypes() {
        return inputs.stream().map(Value::type).toList();
    }

    public List<Type> outputTypes() {
        return outputs.stream().map(Value::type).toList();
    }

    /** 2 x multiply-adds of convolutions and products; 0 for all else. */
    public long flops() {
        return op.flops(inputTypes(), outputTypes());
    }

    @Override
    public String toString() {
        return "%s = %s %s%s".formatted(outputs, op, name, inputs);
    }
}
