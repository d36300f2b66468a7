package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static io.firn.oracle.Samples.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.Convolution;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Batch norm by hand, and whole against its parts. */
class NormalizationOracleTest {
    private static final Array VECTOR = array(new double[] {1.5, -0.5, 2}, 3);
    private static final Array BIAS = array(new double[] {0.25, 1, -1}, 3);
    private static final Array RUNNING_MEAN = array(new double[] {0, 10, -10}, 3);
    private static final Array RUNNING_VAR = array(new double[] {1, 2, 3}, 3);

    @Test
    void oneChannelByHand() {
        // Values 1, 3, 5, 7: mean 4, variance 5, unbiased 20 / 3.
        List<double[]> out = run(new Normalization.BatchNorm(4, 0.1), array(new double[] {1, 3, 5, 7}, 2, 1, 1, 2),
                array(new double[] {6}, 1), array(new double[] {1}, 1), array(new double[] {2}, 1),
                array(new double[] {1}, 1));
        same(out.get(0), -5, -1, 3, 7);
        same(out.get(1), 4);
        same(out.get(2), 1.0 / 3);
        same(out.get(3), 0.9 * 2 + 0.1 * 4);
        same(out.get(4), 0.9 * 1 + 0.1 * 20 / 3);
    }

    @Test
    void wholeEqualsItsParts() {
        Array x = Samples.normal(Shape.of(4, 3, 5, 2)).getFirst();
        List<double[]> whole = run(new Normalization.BatchNorm(1e-5, 0.1), x, VECTOR, BIAS, RUNNING_MEAN, RUNNING_VAR);
        List<double[]> sums = run(new Normalization.Statistics(), x);
        List<double[]> parts = run(new Normalization.Finalise(1e-5, 0.1, 40), array(sums.get(0), 3),
                array(sums.get(1), 3), VECTOR, BIAS, RUNNING_MEAN, RUNNING_VAR);
        double[] y = run(new Normalization.Apply(), x, array(parts.get(2), 3), array(parts.get(3), 3)).getFirst();
        same(y, whole.get(0));
        same(parts.get(0), whole.get(1));
        same(parts.get(1), whole.get(2));
        same(parts.get(4), whole.get(3));
        same(parts.get(5), whole.get(4));
    }

    @Test
    void evaluationUsesTheRunningStatistics() {
        Array variance = array(new double[] {3, 0, 8}, 3);
        List<double[]> affine = run(new Normalization.Affine(1), VECTOR, BIAS, RUNNING_MEAN, variance);
        same(affine.get(0), 0.75, -0.5, 2.0 / 3);
        same(affine.get(1), 0.25, 6, -1 + 20.0 / 3);
    }

    @Test
    void gradientByHand() {
        // Deviations -3, -1, 1, 3 with invstd 1/2 (say); dy picks the first value.
        Array x = array(new double[] {1, 3, 5, 7}, 4, 1, 1, 1);
        Array dy = array(new double[] {1, 0, 0, 0}, 4, 1, 1, 1);
        Array mean = array(new double[] {4}, 1);
        Array invstd = array(new double[] {0.5}, 1);
        List<double[]> sums = run(new Normalization.GradSums(), dy, x, mean, invstd);
        same(sums.get(0), -1.5);
        same(sums.get(1), 1);
        double[] dx = run(new Normalization.GradApply(4), dy, x, array(new double[] {2}, 1), mean, invstd,
                array(sums.get(0), 1), array(sums.get(1), 1)).getFirst();
        // 2 · 1/2 · (dy - 1/4 - deviation · 1/2 · -1.5 / 4)
        same(dx, 1 - 0.25 - 0.5625, -0.25 - 0.1875, -0.25 + 0.1875, -0.25 + 0.5625);
    }

    @Test
    void aFoldedWeightDoesWhatApplyDid() {
        List<Array> a = Samples.normal(Shape.of(1, 2, 4, 4), Shape.of(3, 2, 3, 3));
        var conv = new Convolution.Forward(1, 1, 1);
        Array y = array(run(conv, a).getFirst(), 1, 3, 4, 4);
        Array folded = array(run(new Normalization.FoldWeight(), a.get(1), VECTOR).getFirst(), 3, 2, 3, 3);
        same(run(conv, a.get(0), folded, BIAS).getFirst(), run(new Normalization.Apply(), y, VECTOR, BIAS).getFirst());
        same(run(new Normalization.Apply(), y, VECTOR).getFirst(),
                run(new Normalization.Apply(), y, VECTOR, array(new double[3], 3)).getFirst());
    }

    @Test
    void aSingleValueHasNoVariance() {
        List<double[]> out = run(new Normalization.Finalise(1, 0.5, 1), array(new double[] {3}, 1),
                array(new double[] {9 - 1e-9}, 1), array(new double[] {1}, 1), array(new double[] {0}, 1),
                array(new double[] {0}, 1), array(new double[] {1}, 1));
        same(out.get(1), 1);
        same(out.get(5), 0.5);
    }

    private static void same(double[] actual, double... expected) {
        assertThat(actual).containsExactly(expected, offset(1e-12));
    }
}
