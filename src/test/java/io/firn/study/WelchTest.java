package io.firn.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.commons.statistics.inference.AlternativeHypothesis;
import org.apache.commons.statistics.inference.DataDispersion;
import org.apache.commons.statistics.inference.TTest;
import org.junit.jupiter.api.Test;

/** Verdicts: the test behind them is Welch's, and they say no more than it does. */
class WelchTest {
    private static DegradationResult.Run run(String family, int depth, int seed, double error) {
        return new DegradationResult.Run(family + depth + "-seed" + seed, family, depth, seed, error, 0, null, 1, List.of());
    }

    private static DegradationResult result(double plain20, double plain56, double resnet20, double resnet56) {
        return DegradationResult.of(List.of(20, 56), List.of(), IntStream.range(0, 3).boxed().flatMap(s -> List.of(
                run("plain", 20, s, plain20 + s * 0.001), run("plain", 56, s, plain56 + s * 0.002),
                run("resnet", 20, s, resnet20 + s * 0.001), run("resnet", 56, s, resnet56 + s * 0.001)).stream()).toList(),
                List.of());
    }

    @Test
    void itIsThatOfCommonsStatistics() {
        Random random = new Random(1);
        TTest test = TTest.withDefaults().with(DataDispersion.HETEROSCEDASTIC).with(AlternativeHypothesis.GREATER_THAN);
        for (int round = 0; round < 50; round++) {
            double[] a = random.doubles(2 + random.nextInt(5)).map(v -> 3 * v + 0.5).toArray();
            double[] b = random.doubles(2 + random.nextInt(5)).toArray();
            assertThat(Welch.of(a, b).p()).isCloseTo(test.test(a, b).getPValue(), within(1e-12));
            assertThat(Welch.of(a, b).degrees()).isCloseTo(test.test(a, b).getDegreesOfFreedom(), within(1e-9));
        }
    }

    @Test
    void theIntervalEndsWhereTheTestTurns() {
        double[] a = {5, 6, 7.5};
        double[] b = {1, 2, 4};
        double half = Welch.of(a, b).halfWidth(0.9);
        double[] shifted = IntStream.range(0, 3).mapToDouble(i -> b[i] + Welch.of(a, b).difference() - half).toArray();
        assertThat(Welch.of(a, shifted).p()).isCloseTo(0.05, within(1e-9));
    }

    @Test
    void equalRunsAreNoDifferenceAndNoSpreadIsNoDivisionByZero() {
        double[] same = {0.5, 0.5};
        assertThat(Welch.of(same, same)).isEqualTo(new Welch(0, 0, Double.POSITIVE_INFINITY));
        assertThat(Welch.of(same, same).p()).isEqualTo(0.5);
        assertThat(Welch.of(new double[] {1, 1}, same).p()).isZero();
        assertThat(Welch.of(same, same).halfWidth(0.95)).isZero();
    }

    @Test
    void thePapersClaimNeedsAllThree() {
        DegradationResult seen = result(0.10, 0.30, 0.10, 0.09);
        assertThat(seen.tests()).extracting(DegradationResult.Test::holds).containsExactly(true, false, true);
        assertThat(seen.verdict()).startsWith("The paper's claim is seen:").contains("+20.10");
        DegradationResult both = result(0.10, 0.30, 0.10, 0.35);
        assertThat(both.tests()).extracting(DegradationResult.Test::holds).containsExactly(true, true, false);
        assertThat(both.verdict()).startsWith("The paper's claim is not seen").contains("residual nets degrade too");
        DegradationResult neither = result(0.10, 0.10, 0.10, 0.10);
        assertThat(neither.verdict()).startsWith("The paper's claim is not seen").contains("plain nets were not seen to degrade");
    }

    @Test
    void aNetWhoseRunsFailedDecidesNothing() {
        DegradationResult r = DegradationResult.of(List.of(20, 56), List.of(), List.of(run("plain", 20, 0, 0.1)),
                List.of("plain56-seed0: exit 5: the loss is NaN"));
        assertThat(r.verdict()).startsWith("Not decided");
        assertThat(r.tests()).isEmpty();
    }
}
