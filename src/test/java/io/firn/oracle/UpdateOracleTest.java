package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.Clipping;
import io.firn.graph.DType;
import io.firn.graph.Rates;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Optimizer steps on one weight, followed by hand. */
class UpdateOracleTest {
    private static final double LR = 0.1;

    @Test
    void sgd() {
        // g = 1 + 0.5 · 2 = 2
        assertThat(step(new Update.Sgd(0, 0.5, false, 1), 1, 2, 1)).containsExactly(1.8);
        assertThat(step(new Update.Sgd(0, 0.5, false, 2), 1, 2, 1)).containsExactly(1.6);
        assertThat(step(new Update.Sgd(0.9, 0.5, false, 1), 1, 2, 1, 10))
                .containsExactly(new double[] {2 - 1.1, 11}, near());
        assertThat(step(new Update.Sgd(0.9, 0.5, true, 1), 1, 2, 1, 10))
                .containsExactly(new double[] {2 - 0.1 * (2 + 9.9), 11}, near());
    }

    @Test
    void adamW() {
        double m = 0.9 * 4 + 0.1 * 3;
        double s = 0.99 * 5 + 0.01 * 9;
        double w = 2 * (1 - 0.1 * 0.5) - 0.1 * m / (1 - 0.81) / (Math.sqrt(s / (1 - 0.99 * 0.99)) + 1e-3);
        assertThat(step(new Update.AdamW(0.9, 0.99, 1e-3, 0.5, 1), 2, 2, 3, 4, 5))
                .containsExactly(new double[] {w, m, s}, near());
    }

    @Test
    void adamWsFirstStepHasTheSizeOfTheRate() {
        assertThat(step(new Update.AdamW(0.9, 0.999, 0, 0, 1), 1, 2, -7, 0, 0)[0]).isCloseTo(2.1, near());
    }

    @Test
    void rmsProp() {
        // g = 3 + 0.5 · 2 = 4; s = 0.75 · 8 + 0.25 · 16 = 10
        assertThat(step(new Update.RmsProp(0.75, 0.5, false, 0, 0.5, 1), 1, 2, 3, 8))
                .containsExactly(new double[] {2 - 0.4 / (Math.sqrt(10) + 0.5), 10}, near());
        assertThat(step(new Update.RmsProp(0.75, 0.5, true, 0, 0.5, 1), 1, 2, 3, 8))
                .containsExactly(new double[] {2 - 0.4 / Math.sqrt(10.5), 10}, near());
        double v = 0.9 * 6 + 4 / (Math.sqrt(10) + 0.5);
        assertThat(step(new Update.RmsProp(0.75, 0.5, false, 0.9, 0.5, 1), 1, 2, 3, 8, 6))
                .containsExactly(new double[] {2 - 0.1 * v, 10, v}, near());
        // TensorFlow's has the rate in the momentum.
        double t = 0.9 * 6 + 0.1 * 4 / Math.sqrt(10.5);
        assertThat(step(new Update.RmsProp(0.75, 0.5, true, 0.9, 0.5, 1), 1, 2, 3, 8, 6))
                .containsExactly(new double[] {2 - t, 10, t}, near());
        assertThat(new Update.RmsProp(0.75, 0.5, true, 0.9, 0.5, 1).initial("square_avg")).isEqualTo(1);
        assertThat(new Update.RmsProp(0.75, 0.5, false, 0.9, 0.5, 1).initial("square_avg")).isZero();
    }

    @Test
    void larsAdaptsTheRateToBothNorms() {
        // ‖w‖ = 5, ‖g‖ = 13: r = 0.01 · 5 / (13 + 0.5 · 5)
        double r = 0.05 / 15.5;
        Array w = array(new double[] {3, 4}, 2);
        Array g = array(new double[] {5, 12}, 2);
        List<double[]> out = Samples.run(new Update.Lars(0.9, 0.01, 0, 0.5, 2), List.of(w, g, array(new double[] {1, 1}, 2),
                rates(1)));
        assertThat(out.get(1)).containsExactly(new double[] {0.9 + r * 6.5, 0.9 + r * 14}, near());
        assertThat(out.get(0)).containsExactly(new double[] {3 - 0.2 * (0.9 + r * 6.5), 4 - 0.2 * (0.9 + r * 14)}, near());
        assertThat(step(new Update.Lars(0, 0.01, 0, 0, 1), 1, 2, 3, 0)).containsExactly(new double[] {2 - 0.3, 3}, near());
    }

    @Test
    void aFactorOfZeroSkipsTheStep() {
        List<Array> in = new ArrayList<>(List.of(array(new double[] {2}, 1), array(new double[] {Double.NaN}, 1),
                array(new double[] {7}, 1), rates(1)));
        in.add(new Array(new Type(DType.F32, Shape.SCALAR), new double[] {0}));
        assertThat(Samples.run(new Update.Sgd(0.9, 0.5, false, 1), in)).containsExactly(new double[] {2}, new double[] {7});
        in.set(1, array(new double[] {3}, 1));
        in.set(4, new Array(new Type(DType.F32, Shape.SCALAR), new double[] {0.5}));
        // g = 0.5 · 3 + 0.5 · 2
        double v = 0.9 * 7 + 2.5;
        assertThat(Samples.run(new Update.Sgd(0.9, 0.5, false, 1), in).getFirst())
                .containsExactly(new double[] {2 - 0.1 * v}, near());
    }

    @Test
    void averagesAndSums() {
        assertThat(step(new Update.Average(0.9), 1, 10, 20)).containsExactly(new double[] {11}, near());
        Array rates = rates(1);
        List<Array> in = List.of(array(new double[] {10}, 1), array(new double[] {20}, 1), rates);
        assertThat(Samples.run(new Update.Accumulate(4), in).getFirst()).containsExactly(5);
        rates.data()[Rates.KEEP] = 1;
        assertThat(Samples.run(new Update.Accumulate(4), in).getFirst()).containsExactly(15);
    }

    @Test
    void theGlobalNormIsLimited() {
        List<Array> in = List.of(array(new double[] {3, 0}, 2), array(new double[] {4}, 1));
        assertThat(Samples.run(new Clipping.GlobalNorm(2), in).stream().mapToDouble(a -> a[0]).toArray())
                .containsExactly(2 / (5 + 1e-6), 5);
        assertThat(Samples.run(new Clipping.GlobalNorm(8), in).getFirst()).containsExactly(1);
        List<Array> broken = List.of(array(new double[] {Double.POSITIVE_INFINITY}, 1), array(new double[] {4}, 1));
        assertThat(Samples.run(new Clipping.GlobalNorm(8), broken).getFirst()).containsExactly(0);
    }

    private static double[] step(Update op, int step, double w, double g, double... slots) {
        List<Array> in = new ArrayList<>(List.of(array(new double[] {w}, 1), array(new double[] {g}, 1)));
        for (double s : slots) {
            in.add(array(new double[] {s}, 1));
        }
        in.add(rates(step));
        return Samples.run(op, in).stream().mapToDouble(a -> a[0]).toArray();
    }

    private static Array rates(int step) {
        double[] rates = new double[Rates.SIZE];
        rates[Rates.LEARNING_RATE] = LR;
        rates[Rates.STEP] = step;
        return new Array(Rates.TYPE, rates);
    }

    private static Offset<Double> near() {
        return offset(1e-12);
    }
}
