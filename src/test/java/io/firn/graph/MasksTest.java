package io.firn.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The mask rule: its rate, its block structure, and what each number of its key changes. */
class MasksTest {
    private static final int COUNT = 100_000;

    @Test
    void dropsTheWantedShare() {
        for (double p : new double[] {0.001, 0.2, 0.5, 0.9}) {
            double dropped = COUNT - kept(i -> Masks.keeps(1, 2, 3, 4, 5, i, p));
            assertThat(dropped / COUNT).isCloseTo(p, offset(4 * Math.sqrt(p * (1 - p) / COUNT)));
        }
    }

    @Test
    void followsThePhiloxBlock() {
        long index = (7L << 34) + 4 * 11 + 2;
        long key = 21L | 22L << 32;
        long lo = 11L | 5L << 32;
        long hi = 3L | (4L ^ 7L) << 32;
        int draw = Philox.block(key, hi, lo).word(2) >>> 8;
        assertThat(Masks.keeps(21, 22, 3, 4, 5, index, draw * 0x1p-24)).isTrue();
        assertThat(Masks.keeps(21, 22, 3, 4, 5, index, (draw + 0.5) * 0x1p-24)).isFalse();
    }

    @Test
    void everyNumberOfTheKeyMatters() {
        IntPredicate base = i -> Masks.keeps(1, 2, 3, 4, 5, i, 0.5);
        differ(base, i -> Masks.keeps(9, 2, 3, 4, 5, i, 0.5));
        differ(base, i -> Masks.keeps(1, 9, 3, 4, 5, i, 0.5));
        differ(base, i -> Masks.keeps(1, 2, 9, 4, 5, i, 0.5));
        differ(base, i -> Masks.keeps(1, 2, 3, 9, 5, i, 0.5));
        differ(base, i -> Masks.keeps(1, 2, 3, 4, 9, i, 0.5));
        differ(base, i -> base.test(i + 1));
        differ(base, i -> Masks.keeps(1, 2, 3, 4, 5, i + (1L << 34), 0.5));
    }

    /** Independent fair draws agree half of the time. */
    private static void differ(IntPredicate a, IntPredicate b) {
        assertThat((double) kept(i -> a.test(i) == b.test(i)) / COUNT).isCloseTo(0.5, offset(0.01));
    }

    private static long kept(IntPredicate keeps) {
        return IntStream.range(0, COUNT).filter(keeps).count();
    }
}
