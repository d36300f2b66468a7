package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.Rates;
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
        double v = 0.9 * 6 + 4 / Math.sqrt(10.5);
        assertThat(step(new Update.RmsProp(0.75, 0.5, true, 0.9, 0.5, 1), 1, 2, 3, 8, 6))
                .containsExactly(new double[] {2 - 0.1 * v, 10, v}, near());
    }

    private static double[] step(Update op, int step, double w, double g, double... slots) {
        List<Array> in = new ArrayList<>(List.of(array(new double[] {w}, 1), array(new double[] {g}, 1)));
        for (double s : slots) {
            in.add(array(new double[] {s}, 1));
        }
        double[] rates = new double[Rates.SIZE];
        rates[Rates.LEARNING_RATE] = LR;
        rates[Rates.STEP] = step;
        in.add(new Array(Rates.TYPE, rates));
        return Samples.run(op, in).stream().mapToDouble(a -> a[0]).toArray();
    }

    private static Offset<Double> near() {
        return offset(1e-12);
    }
}
