package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Against figures that PyTorch 2 prints for its own schedulers, stepped after each batch. */
class ScheduleTest {
    private static double[] rates(Schedule s, int steps) {
        double[] rates = new double[steps];
        for (int i = 0; i < steps; i++) {
            rates[i] = s.rate(i);
        }
        return rates;
    }

    @Test
    void constant() {
        assertThat(rates(new Schedule(Schedule.Kind.CONSTANT, 0.1, 0, 3, List.of(), 0.1), 4)).containsOnly(0.1);
    }

    @Test
    void cosineAfterWarmUp() {
        // SequentialLR([LinearLR(1/3, total_iters=2), CosineAnnealingLR(T_max=8)], milestones=[2]), lr 0.1
        assertThat(rates(new Schedule(Schedule.Kind.COSINE, 0.1, 2, 10, List.of(), 0.1), 10)).containsExactly(COSINE,
                within(1e-15));
    }

    @Test
    void stepAtMilestones() {
        // MultiStepLR(milestones=[4, 6], gamma=0.1), lr 0.1
        assertThat(rates(new Schedule(Schedule.Kind.STEP, 0.1, 0, 8, List.of(4L, 6L), 0.1), 8))
                .containsExactly(STEP, within(1e-15));
    }

    private static final double[] COSINE = {0.03333333333333333, 0.06666666666666667, 0.1, 0.09619397662556434, 0.08535533905932738, 0.0691341716182545, 0.05, 0.030865828381745515, 0.014644660940672627, 0.0038060233744356634};
    private static final double[] STEP = {0.1, 0.1, 0.1, 0.1, 0.010000000000000002, 0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002};

    @Test
    void fractionsOfEpochsBecomeSteps() {
        Recipe r = TrainOptionsTest.resolve(TrainOptionsTest.SMALL, "epochs", 2, "schedule", "step", "milestones",
                List.of(0.5, 1), "warmup-epochs", 0.1).recipe();
        assertThat(Schedule.of(r, 468)).isEqualTo(new Schedule(Schedule.Kind.STEP, 0.1, 47, 936, List.of(234L, 468L), 0.1));
    }

    @Test
    void theRateStaysPositiveToTheEndAndAfter() {
        Schedule s = new Schedule(Schedule.Kind.COSINE, 0.1, 0, 5, List.of(), 0.1);
        assertThat(s.rate(4)).isPositive();
        assertThat(s.rate(5)).isEqualTo(s.rate(4));
    }
}
