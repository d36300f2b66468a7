package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static io.firn.oracle.Samples.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Masks;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Ops on single elements by hand. */
class PointwiseOracleTest {
    private static final double[] COUNTER = {7, -3, 5, 1, 2, 0, 0, 0};

    @Test
    void activationsAndTheirSlopes() {
        Array x = array(new double[] {-2, 0, 3}, 3);
        Array ones = array(new double[] {1, 1, 2}, 3);
        double s = 1 / (1 + Math.exp(-3));
        double t = 1 / (1 + Math.exp(2));
        same(run(new Activation.Forward(Activation.Kind.RELU), x), 0, 0, 3);
        same(run(new Activation.Forward(Activation.Kind.SIGMOID), x), t, 0.5, s);
        same(run(new Activation.Forward(Activation.Kind.SILU), x), -2 * t, 0, 3 * s);
        same(run(new Activation.Grad(Activation.Kind.RELU), ones, array(new double[] {0, 0, 3}, 3)), 0, 0, 2);
        same(run(new Activation.Grad(Activation.Kind.SIGMOID), ones, array(new double[] {t, 0.5, s}, 3)), t * (1 - t),
                0.25, 2 * s * (1 - s));
        same(run(new Activation.Grad(Activation.Kind.SILU), ones, x), t - 2 * t * (1 - t), 0.5,
                2 * (s + 3 * s * (1 - s)));
        same(run(new Activation.Forward(Activation.Kind.SIGMOID), array(new double[] {-1000, 1000}, 2)), 0, 1);
    }

    @Test
    void pixelsAreNormalisedByChannel() {
        Array pixels = new Array(new Type(DType.U8, Shape.of(1, 2, 1, 2)), new double[] {0, 255, 51, 102});
        same(run(new Conversion.Normalize(List.of(0.5, 0.2), List.of(0.25, 2.0), DType.BF16), pixels), -2, 2, 0, 0.1);
        same(run(new Conversion.Cast(DType.BF16), array(new double[] {1.0001}, 1)), 1.0001);
    }

    @Test
    void sumsAndGates() {
        Array x = array(new double[] {1, 2, 3, 4}, 1, 2, 1, 2);
        same(run(new Elementwise.Add(), x, x), 2, 4, 6, 8);
        same(run(new Gate.Scale(), x, array(new double[] {2, -1}, 1, 2)), 2, 4, -3, -4);
        same(run(new Gate.ScaleGrad(), x, x), 5, 25);
    }

    @Test
    void dropoutFollowsTheMaskAndItsPlaceInTheGlobalBatch() {
        Array counter = new Array(Counter.TYPE, COUNTER);
        double[] ones = new double[3 * 10];
        Arrays.fill(ones, 1);
        double[] y = run(new Drop.Dropout(0.25, 6), array(ones, 3, 10), counter).getFirst();
        for (int i = 0; i < y.length; i++) {
            assertThat(y[i]).isEqualTo(Masks.keeps(7, -3, 5, 1, 6, 2 * 10 + i, 0.25) ? 1 / 0.75 : 0);
        }
        double[] shifted = COUNTER.clone();
        shifted[Counter.FIRST_SAMPLE] = 3;
        double[] next = run(new Drop.Dropout(0.25, 6), array(ones, 3, 10), new Array(Counter.TYPE, shifted)).getFirst();
        assertThat(Arrays.copyOf(next, 20)).containsExactly(Arrays.copyOfRange(y, 10, 30));
    }

    @Test
    void dropPathKeepsOrDropsWholeSamples() {
        double[] ones = new double[40 * 6];
        Arrays.fill(ones, 1);
        Array counter = new Array(Counter.TYPE, COUNTER);
        double[] y = run(new Drop.DropPath(0.5, 1), array(ones, 40, 2, 1, 3), counter).getFirst();
        for (int i = 0; i < y.length; i++) {
            assertThat(y[i]).isEqualTo(Masks.keeps(7, -3, 5, 1, 1, 2 + i / 6, 0.5) ? 2 : 0);
        }
    }

    private static void same(List<double[]> actual, double... expected) {
        assertThat(actual.getFirst()).containsExactly(expected, offset(1e-14));
    }
}
