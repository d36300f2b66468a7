package io.firn.oracle;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Evaluates whole graphs, and parts of graphs such as a fused launch's meaning, node by node. */
public final class GraphOracle {
    private GraphOracle() {
    }

    /** Whether values keep double precision or lose what their element types cannot hold. */
    public enum Precision {
        /** Every value in double precision. */
        EXACT,
        /** Every value, those given included, rounded to its element type as if it were stored. */
        STORED
    }

    /** Every value of an evaluated graph. */
    public record Evaluation(Graph graph, Map<Value, double[]> values) {

        public double[] value(Value v) {
            double[] data = values.get(v);
            Op.check(data != null, "%s has no value", v);
            return data;
        }

        /** The output of that name. */
        public double[] output(String name) {
            return value(graph.output(name));
        }

        /** Every state as it is after the step, by name: updated, or as it was. */
        public Map<String, double[]> statesAfter() {
            Map<String, double[]> after = new LinkedHashMap<>();
            graph.states().forEach(s -> after.put(s.name(), value(graph.updates().getOrDefault(s.name(), s.value()))));
            return after;
        }
    }

    /**
     * Evaluates a graph in double precision.
     *
     * @param given elements of every input and state, by name, in logical row-major order
     */
    public static Evaluation evaluate(Graph g, Map<String, double[]> given) {
        return evaluate(g, given, Precision.EXACT);
    }

    /** Evaluates a graph. Names that the graph does not know are ignored, so that one map serves several graphs. */
    public static Evaluation evaluate(Graph g, Map<String, double[]> given, Precision precision) {
        Map<Value, double[]> values = new HashMap<>();
        List<Value> sources = new ArrayList<>(g.inputs());
        g.states().stream().map(State::value).forEach(sources::add);
        for (Value v : sources) {
            double[] data = given.get(v.name());
            Op.check(data != null, "nothing is given for %s", v);
            Op.check(data.length == v.shape().elements(), "%d elements for %s", data.length, v);
            values.put(v, precision == Precision.STORED ? round(v, data) : data);
        }
        run(g.nodes(), values, precision);
        return new Evaluation(g, values);
    }

    /** Computes the nodes in order, reading their operands from {@code values} and adding what they write. */
    public static void run(List<Node> nodes, Map<Value, double[]> values, Precision precision) {
        for (Node n : nodes) {
            List<double[]> in = new ArrayList<>();
            for (Value v : n.inputs()) {
                double[] data = values.get(v);
                Op.check(data != null, "%s reads %s, which has no value", n.name(), v);
                in.add(data);
            }
            List<double[]> out = Interpreter.run(n.op(), n.inputTypes(), in);
            for (int i = 0; i < out.size(); i++) {
                Value v = n.outputs().get(i);
                values.put(v, precision == Precision.STORED ? round(v, out.get(i)) : out.get(i));
            }
        }
    }

    /** The elements as they are read back after being stored in the value's element type. */
    public static double[] round(Value v, double[] data) {
        return Array.round(v.dtype(), data);
    }
}
