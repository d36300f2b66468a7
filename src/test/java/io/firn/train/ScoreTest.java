package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScoreTest {
    private static Evaluation score(int label, float... logits) {
        Score score = new Score();
        score.add(logits, 0, logits.length, label);
        return score.result(1);
    }

    @Test
    void lossAndRanks() {
        Evaluation e = score(1, 1, 2, 3, 0, 0, 0, 0);
        assertThat(e.loss()).isCloseTo(Math.log(Math.E + Math.exp(2) + Math.exp(3) + 4) - 2, within(1e-12));
        assertThat(e.top1()).isZero();
        assertThat(e.top5()).isOne();
        assertThat(score(6, 1, 2, 3, 0, 0, 0, 0).top5()).isZero();
        assertThat(score(2, 1000, -1000, 2000).loss()).isZero();
    }

    @Test
    void ofEqualLogitsTheFirstWins() {
        assertThat(score(0, 1, 1).top1()).isOne();
        assertThat(score(1, 1, 1).top1()).isZero();
    }

    @Test
    void notANumberIsNeverRight() {
        assertThat(score(0, Float.NaN, Float.NaN).top1()).isZero();
        assertThat(score(0, 1, Float.NaN).top1()).isZero();
        assertThat(score(0, Float.NaN, 1).loss()).isNaN();
    }

    @Test
    void imagesWithoutLabelCountForNothing() {
        assertThat(score(-1, 1, 2).images()).isZero();
    }
}
