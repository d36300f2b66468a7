package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.DType;
import io.firn.graph.Clipping;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Magnitudes leave room for rounding, and for nothing else. */
class MagnitudesTest {

    static Stream<OpCase> cases() {
        return OpCases.all().stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void neverLessThanTheResult(OpCase c) {
        List<double[]> out = c.out();
        List<double[]> magnitudes = Magnitudes.of(c.op(), c.types(), c.in());
        for (int k = 0; k < out.size(); k++) {
            if (c.op().infer(c.types()).get(k).dtype().isFloat()) {
                for (int i = 0; i < out.get(k).length; i++) {
                    assertThat(magnitudes.get(k)[i]).isGreaterThanOrEqualTo(Math.abs(out.get(k)[i]) * (1 - 1e-12));
                }
            }
        }
    }

    /** Each operand off by up to a unit of f32's last place, and the result rounded. */
    @ParameterizedTest
    @MethodSource("cases")
    void coversRoundedOperands(OpCase c) {
        Random random = new Random(4);
        List<double[]> magnitudes = Magnitudes.of(c.op(), c.types(), c.in());
        for (int repeat = 0; repeat < 20; repeat++) {
            List<double[]> in = new ArrayList<>();
            for (int k = 0; k < c.in().size(); k++) {
                double[] x = c.in().get(k).clone();
                for (int i = 0; i < x.length && c.types().get(k).dtype().isFloat(); i++) {
                    x[i] *= 1 + 0x1p-23 * random.nextDouble(-1, 1);
                }
                in.add(x);
            }
            List<double[]> out = Interpreter.run(c.op(), c.types(), in);
            for (int k = 0; k < out.size(); k++) {
                double[] stored = Array.round(DType.F32, out.get(k));
                double error = Tolerance.error(stored, c.out().get(k), magnitudes.get(k));
                assertThat(error).isLessThan(Tolerance.FP32.share());
            }
        }
    }

    /** An operand read backwards is no rounding, even in bf16. */
    @ParameterizedTest
    @MethodSource("cases")
    void showsWrongIndices(OpCase c) {
        List<double[]> magnitudes = Magnitudes.of(c.op(), c.types(), c.in());
        for (int k = 0; k < c.in().size(); k++) {
            if (!hasOrder(c, k)) {
                continue;
            }
            List<double[]> in = new ArrayList<>(c.in());
            in.set(k, reversed(in.get(k)));
            List<double[]> out = Interpreter.run(c.op(), c.types(), in);
            double error = 0;
            for (int o = 0; o < out.size(); o++) {
                error = Math.max(error, Tolerance.error(out.get(o), c.out().get(o), magnitudes.get(o)));
            }
            assertThat(error).as("operand %d", k).isGreaterThan(Tolerance.BF16.share());
        }
    }

    /** A number, what is summed up as a whole, and rates that are not read have none. */
    private static boolean hasOrder(OpCase c, int k) {
        return c.types().get(k).dtype().isFloat() && c.types().get(k).shape().elements() > 1
                && !(c.op() instanceof Clipping) && !c.types().get(k).equals(Scaling.TYPE)
                && !(c.op() instanceof Scaling.Unscale) && !(c.op() instanceof Update.Average && k == 2);
    }

    @Test
    void whatCancelledIsCarriedOn() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", Type.f32(1));
        Value y = b.input("y", Type.f32(1));
        Value sum = b.add("sum", new Elementwise.Add(), x, y);
        b.output("z", b.add("relu", new Activation.Forward(Activation.Kind.RELU), sum));
        Graph g = b.build();
        Map<Value, double[]> m = Magnitudes.of(g.nodes(), Map.of(x, new double[] {100}, y, new double[] {-99}),
                Tolerance.FP32);
        assertThat(m.get(g.output("z"))).containsExactly(199);
    }

    @Test
    void jumpsAreOpenOnlyWhereAComputedOperandIsNearThem() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", Type.f32(1, 1, 1, 4));
        Value y = b.add("y", new Activation.Forward(Activation.Kind.RELU), b.add("sum", new Elementwise.Add(), x, x));
        b.output("near", b.add("near", new Activation.Grad(Activation.Kind.RELU), x, y));
        b.output("exact", b.add("exact", new Activation.Grad(Activation.Kind.RELU), x, x));
        Graph g = b.build();
        double[] data = {-1, 0, 2, 3};
        Map<Value, double[]> m = Magnitudes.of(g.nodes(), Map.of(x, data), Tolerance.FP32);
        assertThat(m.get(g.output("near"))).containsExactly(1, Double.POSITIVE_INFINITY, 2, 3);
        assertThat(m.get(g.output("exact"))).containsExactly(1, 1e-30, 2, 3);
    }

    @Test
    void placesOfEqualMaximaAreOpenWhereTheyWereComputed() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", Type.f32(1, 1, 2, 4));
        Value sum = b.add("sum", new Elementwise.Add(), x, x);
        Pooling.Max pool = new Pooling.Max(2, 2, 0);
        List<Value> given = b.addAll("given", pool, x);
        List<Value> computed = b.addAll("computed", pool, sum);
        Value grad = b.add("grad", new Pooling.MaxGrad(2, 2, 0, 2, 4), computed.get(0), computed.get(1));
        Map<Value, double[]> inputs = new HashMap<>();
        inputs.put(x, new double[] {5, 5, 1, 2, 1, -6, 3, 4});
        Map<Value, double[]> m = Magnitudes.of(b.build().nodes(), inputs, Tolerance.FP32);
        double open = Double.POSITIVE_INFINITY;
        assertThat(m.get(given.get(1))).containsExactly(0, 0);
        assertThat(m.get(computed.get(0))).containsExactly(12, 8);
        assertThat(m.get(computed.get(1))).containsExactly(open, 0);
        assertThat(m.get(grad)).containsExactly(open, open, 1e-30, 1e-30, open, open, 1e-30, 8);
    }

    private static double[] reversed(double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = x[x.length - 1 - i];
        }
        return y;
    }
}
