package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Errors as shares of magnitudes, at the edges. */
class ToleranceTest {
    private static final double NAN = Double.NaN;
    private static final double INF = Double.POSITIVE_INFINITY;

    @Test
    void theLargestShareCounts() {
        double[] actual = {1, 2.5, 10.5};
        double[] expected = {1, 2, 10};
        assertThat(Tolerance.error(actual, expected, new double[] {1, 5, 100})).isEqualTo(0.1);
        assertThat(Tolerance.worst(actual, expected, new double[] {1, 5, 100})).isEqualTo(1);
        assertThat(Tolerance.worst(expected, expected, new double[3])).isEqualTo(-1);
        assertThat(Tolerance.BF16.holds(new double[] {1.009}, new double[] {1}, new double[] {1})).isTrue();
        assertThat(Tolerance.FP16.holds(new double[] {1.009}, new double[] {1}, new double[] {1})).isFalse();
    }

    @Test
    void edges() {
        assertThat(error(0, 0, 0)).isZero();
        assertThat(error(1e-30, 0, 0)).isEqualTo(INF);
        assertThat(error(5, 0, INF)).isZero();
        assertThat(error(NAN, NAN, 1)).isZero();
        assertThat(error(NAN, 0, INF)).isEqualTo(INF);
        assertThat(error(0, NAN, 1)).isEqualTo(INF);
        assertThat(error(INF, INF, 1)).isZero();
        assertThat(error(INF, 1, 1)).isEqualTo(INF);
    }

    private static double error(double actual, double expected, double magnitude) {
        return Tolerance.error(new double[] {actual}, new double[] {expected}, new double[] {magnitude});
    }
}
