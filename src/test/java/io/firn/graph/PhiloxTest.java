package io.firn.graph;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Philox against the known answers that come with its authors' reference code (Random123, {@code kat_vectors}). */
class PhiloxTest {
    @Test
    void matchesTheReferenceCodesKnownAnswers() {
        assertThat(Philox.block(0, 0, 0)).isEqualTo(new Philox.Block(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
        assertThat(Philox.block(-1, -1, -1)).isEqualTo(new Philox.Block(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
        assertThat(Philox.block(0x299f31d0_a4093822L, 0x03707344_13198a2eL, 0x85a308d3_243f6a88L))
                .isEqualTo(new Philox.Block(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
    }

    @Test
    void nextIsTheFirstHalfOfTheBlock() {
        assertThat(Philox.next(0, 0, 0)).isEqualTo(0xe169c58d_6627e8d5L);
    }

    @Test
    void uniformStaysBelowOne() {
        assertThat(Philox.uniform(-1)).isLessThan(1f).isGreaterThan(0.9999f);
        assertThat(Philox.uniform(-1L)).isLessThan(1d).isGreaterThan(0.9999d);
        assertThat(Philox.uniform(0)).isZero();
        assertThat(Philox.below(-1, 7)).isEqualTo(6);
        assertThat(Philox.below(0, 7)).isZero();
    }

    @Test
    void drawsAreUniform() {
        int[] counts = new int[10];
        double sum = 0;
        int n = 100_000;
        for (int i = 0; i < n; i++) {
            Philox.Block block = Philox.block(42, 7, i);
            counts[Philox.below(block.x0(), 10)]++;
            sum += Philox.uniform(block.x3());
        }
        assertThat(sum / n).isBetween(0.495, 0.505);
        for (int count : counts) {
            assertThat(count).isBetween(9_600, 10_400);
        }
    }
}
