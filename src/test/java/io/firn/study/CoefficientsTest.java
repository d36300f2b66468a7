package io.firn.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The grid over α, β and γ, and what a budget may be. */
class CoefficientsTest {
    @Test
    void thePapersGridHasItsPoints() {
        assertThat(Coefficients.grid(0.05, 0.1)).allSatisfy(k -> assertThat(Math.abs(k.flops() - 2)).isLessThanOrEqualTo(0.1))
                .contains(Coefficients.PAPER, new Coefficients(1, 1, 1.4), new Coefficients(2, 1, 1)).doesNotHaveDuplicates();
        assertThat(Coefficients.grid(0.3, 0.01)).isEmpty();
    }

    @Test
    void budgetsAreTimesOrOperations() {
        assertThat(Budget.of("budget", "40m")).isEqualTo(new Budget.Time(2400));
        assertThat(Budget.of("budget", " 1.5H ")).isEqualTo(new Budget.Time(5400));
        assertThat(Budget.of("budget", "2e15flop")).isEqualTo(new Budget.Flops(2e15));
        assertThat(Budget.of("budget", "2e15 flops")).isEqualTo(new Budget.Flops(2e15));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "40", "0m", "-3h", "0flop", "1h30", "m"})
    void allElseIsRefused(String text) {
        assertThatThrownBy(() -> Budget.of("budget", text)).isInstanceOf(UserError.class)
                .hasMessageStartingWith("--budget " + text).hasMessageContaining("such as 40m or 8h");
    }
}
