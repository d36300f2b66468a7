package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation.Kind;
import io.firn.graph.Derivatives;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Whole small nets: the gradient of every parameter against finite differences, and magnitudes. */
class NetDerivativesTest {
    private static final double TOLERANCE = 1e-6;

    @Test
    void residualNet() {
        SmallNet net = new SmallNet(2, 3, 12, 12);
        Value stem = net.relu("stem", net.norm("bn1", net.conv("conv1", net.image(), 8, 3, 2, 1)));
        Value pooled = net.maxPool("pool", stem, 3, 2, 1);
        Value a = net.relu("relu1", net.norm("b1", net.conv("c1", pooled, 8, 3, 1, 2)));
        Value b = net.norm("b2", net.conv("c2", a, 8, 1, 1, 1));
        check(net.classify(net.relu("out", net.add("sum", b, pooled)), 5, 0.1));
    }

    @Test
    void cifarShortcut() {
        SmallNet net = new SmallNet(3, 3, 7, 7);
        Value x = net.relu("stem", net.norm("bn1", net.conv("conv1", net.image(), 4, 3, 1, 1)));
        Value a = net.norm("b1", net.conv("c1", x, 8, 3, 2, 1));
        check(net.classify(net.relu("out", net.add("sum", a, net.shortcut("short", x, 2, 8))), 4, 0));
    }

    @Test
    void invertedBottleneckWithSqueezeAndExcitation() {
        SmallNet net = new SmallNet(6, 4, 6, 6);
        Value x = net.conv("stem", net.image(), 4, 3, 1, 1);
        Value wide = net.activate(Kind.SILU, "s1", net.norm("b1", net.conv("expand", x, 8, 1, 1, 1)));
        Value deep = net.activate(Kind.SILU, "s2", net.norm("b2", net.conv("depthwise", wide, 8, 5, 1, 8)));
        Value narrow = net.norm("b3", net.conv("project", net.squeezeAndExcite("se", deep, 2), 4, 1, 1, 1));
        Value path = net.drop("drop_path", new Drop.DropPath(0.5, 1), narrow);
        Value y = net.drop("dropout", new Drop.Dropout(0.2, 2), net.add("sum", path, x));
        check(net.classify(y, 5, 0.1));
    }

    private static void check(SmallNet net) {
        Graph forward = net.build();
        Map<String, double[]> given = net.given();
        Graph g = differentiate(forward);
        GraphOracle.Evaluation result = GraphOracle.evaluate(g, given);
        for (State s : forward.states(State.Kind.PARAMETER)) {
            double error = FiniteDifferences.error(x -> loss(forward, given, s.name(), x), given.get(s.name()),
                    result.output("grad." + s.name()), s.name().hashCode());
            assertThat(error).as(s.name()).isLessThan(TOLERANCE);
        }
        checkMagnitudes(g, given);
    }

    /** The whole net as one chain: what rounding every value does stays within what the magnitudes foresee. */
    private static void checkMagnitudes(Graph g, Map<String, double[]> given) {
        Map<Value, double[]> exact = GraphOracle.evaluate(g, given).values();
        Map<Value, double[]> stored = GraphOracle.evaluate(g, given, GraphOracle.Precision.STORED).values();
        Map<Value, double[]> inputs = new HashMap<>(exact);
        g.nodes().forEach(n -> inputs.keySet().removeAll(n.outputs()));
        Map<Value, double[]> magnitudes = Magnitudes.of(g.nodes(), inputs, Tolerance.FP32);
        exact.forEach((v, data) -> assertThat(Tolerance.error(stored.get(v), data, magnitudes.get(v))).as(v.name())
                .isLessThanOrEqualTo(Tolerance.FP32.share()));
    }

    private static double loss(Graph g, Map<String, double[]> given, String changed, double[] x) {
        Map<String, double[]> other = new TreeMap<>(given);
        other.put(changed, x);
        return GraphOracle.evaluate(g, other).output("loss")[0];
    }

    /** The plainest walk: gradients of all that depends on a parameter, from the loss back. */
    private static Graph differentiate(Graph g) {
        GraphBuilder b = GraphBuilder.from(g).phase(Phase.BACKWARD);
        Set<Value> wanted = new HashSet<>();
        g.states(State.Kind.PARAMETER).forEach(s -> wanted.add(s.value()));
        for (Node n : g.nodes()) {
            if (n.inputs().stream().anyMatch(wanted::contains)) {
                wanted.addAll(n.outputs());
            }
        }
        Map<Value, Value> gradients = new HashMap<>();
        for (Node n : g.nodes().reversed()) {
            Value dy = gradients.get(n.output());
            if (!wanted.contains(n.output()) || dy == null && !n.output().equals(g.output("loss"))) {
                continue;
            }
            List<Value> in = n.inputs();
            Value[] d = Derivatives.of(b, n, dy, i -> wanted.contains(in.get(i)));
            for (int i = 0; i < d.length; i++) {
                if (d[i] != null && wanted.contains(in.get(i))) {
                    gradients.merge(in.get(i), d[i], (p, q) -> b.add("sum", new Elementwise.Add(), p, q));
                }
            }
        }
        g.states(State.Kind.PARAMETER).forEach(s -> b.output("grad." + s.name(), gradients.get(s.value())));
        return b.build();
    }
}
