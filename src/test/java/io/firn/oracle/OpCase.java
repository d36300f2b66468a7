package io.firn.oracle;

import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * One op with operands: a case that serves finite differences, magnitudes, comparison of backends, and timing.
 *
 * @param differentiable the operands that the op has a derivative towards; empty where it is none to be differentiated
 * @param types          types of the operands
 * @param in             their elements, which their types can hold
 */
public record OpCase(String name, Op op, List<Integer> differentiable, List<Type> types, List<double[]> in) {

    /** The op alone: inputs {@code in0}, {@code in1}, …, outputs {@code out0}, {@code out1}, …. */
    public Graph graph() {
        GraphBuilder b = new GraphBuilder();
        List<Value> inputs = new ArrayList<>();
        for (Type type : types) {
            inputs.add(b.input("in" + inputs.size(), type));
        }
        List<Value> outputs = b.addAll("op", op, inputs);
        for (int i = 0; i < outputs.size(); i++) {
            b.output("out" + i, outputs.get(i));
        }
        return b.build();
    }

    /** The only node of {@link #graph()}, or of a graph that begins with it. */
    public static Node node(Graph g) {
        return g.nodes().getFirst();
    }

    /** The operands by their names in {@link #graph()}. */
    public Map<String, double[]> given() {
        Map<String, double[]> given = new TreeMap<>();
        for (int i = 0; i < in.size(); i++) {
            given.put("in" + i, in.get(i));
        }
        return given;
    }

    /** What the oracle computes. */
    public List<double[]> out() {
        return Interpreter.run(op, types, in);
    }

    @Override
    public String toString() {
        return name;
    }
}
