package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.graph.Derivatives;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The derivative of every op against finite differences of a random linear function of its first output. */
class DerivativesTest {
    private static final double TOLERANCE = 1e-7;

    static Stream<OpCase> differentiable() {
        return OpCases.all().stream().filter(c -> !c.differentiable().isEmpty());
    }

    static Stream<OpCase> others() {
        return OpCases.all().stream().filter(c -> c.differentiable().isEmpty());
    }

    @ParameterizedTest
    @MethodSource("differentiable")
    void gradientIsTheDerivative(OpCase c) {
        double[] functional = functional(c);
        Map<String, double[]> gradients = gradients(c, c.differentiable()::contains, functional).values();
        for (int i : c.differentiable()) {
            double error = FiniteDifferences.error(x -> loss(c, i, x, functional), c.in().get(i),
                    gradients.get("d" + i), 5 + i);
            assertThat(error).as("operand %d", i).isLessThan(TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("differentiable")
    void askingForLessGivesLessOfTheSame(OpCase c) {
        double[] functional = functional(c);
        Gradients all = gradients(c, c.differentiable()::contains, functional);
        for (int i : c.differentiable()) {
            Gradients one = gradients(c, k -> k == i, functional);
            assertThat(one.values().get("d" + i)).containsExactly(all.values().get("d" + i));
            assertThat(one.nodes()).isLessThanOrEqualTo(all.nodes());
        }
    }

    @ParameterizedTest
    @MethodSource("others")
    void whatHasNoDerivativeSaysSo(OpCase c) {
        Graph g = c.graph();
        Value dy = OpCase.node(g).output();
        assertThatThrownBy(() -> Derivatives.of(GraphBuilder.from(g), OpCase.node(g), dy, i -> true))
                .isInstanceOfAny(IllegalStateException.class, IllegalArgumentException.class);
    }

    @Test
    void everyOpHasACase() {
        Set<Class<?>> covered = OpCases.all().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
        assertThat(records(Op.class)).isSubsetOf(covered);
    }

    private static List<Class<?>> records(Class<?> sealed) {
        Stream<Class<?>> permitted = Arrays.stream(sealed.getPermittedSubclasses());
        return permitted.map(p -> p.isSealed() ? records(p) : List.<Class<?>>of(p)).flatMap(Collection::stream)
                .toList();
    }

    /** Gradients by name, d0, d1, …, and how many nodes compute them. */
    private record Gradients(Map<String, double[]> values, int nodes) {
    }

    private static Gradients gradients(OpCase c, IntPredicate wanted, double[] functional) {
        Graph forward = c.graph();
        Node node = OpCase.node(forward);
        GraphBuilder b = GraphBuilder.from(forward);
        Value dy = isLoss(node) ? null : b.input("dy", node.output().type());
        Value[] d = Derivatives.of(b, node, dy, wanted);
        for (int i = 0; i < d.length; i++) {
            if (d[i] != null) {
                assertThat(d[i].shape()).isEqualTo(c.types().get(i).shape());
                b.output("d" + i, d[i]);
            }
        }
        Map<String, double[]> given = c.given();
        given.put("dy", functional);
        Graph g = b.build();
        GraphOracle.Evaluation result = GraphOracle.evaluate(g, given);
        Map<String, double[]> values = IntStream.range(0, d.length).filter(i -> d[i] != null).boxed()
                .collect(Collectors.toMap(i -> "d" + i, i -> result.output("d" + i)));
        return new Gradients(values, g.nodes().size());
    }

    private static boolean isLoss(Node node) {
        return node.output().shape().rank() == 0;
    }

    private static double[] functional(OpCase c) {
        Type y = OpCase.node(c.graph()).output().type();
        return y.shape().rank() == 0 ? new double[] {1} : Samples.normal(y.shape(), 99);
    }

    /** The functional of the first output with operand {@code i} replaced. */
    private static double loss(OpCase c, int i, double[] x, double[] functional) {
        List<double[]> in = IntStream.range(0, c.in().size()).mapToObj(k -> k == i ? x : c.in().get(k)).toList();
        double[] y = Interpreter.run(c.op(), c.types(), in).getFirst();
        return IntStream.range(0, y.length).mapToDouble(k -> y[k] * functional[k]).sum();
    }
}
