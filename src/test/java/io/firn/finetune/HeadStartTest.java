package io.firn.finetune;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** A head in closed form tells its images apart, and goes on doing so where training moves the features a little. */
class HeadStartTest {
    private static final int IMAGES = 60;
    private static final int CLASSES = 3;

    private static int best(HeadStart head, float[] x) {
        int best = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int k = 0; k < CLASSES; k++) {
            double logit = head.bias()[k];
            for (int j = 0; j < x.length; j++) {
                logit += head.weight()[k * x.length + j] * x[j];
            }
            if (logit > most) {
                most = logit;
                best = k;
            }
        }
        return best;
    }

    @Test
    void doesNotLeanOnFeaturesThatHardlyVary() {
        Random random = new Random(3);
        float[][] features = new float[IMAGES][];
        int[] labels = new int[IMAGES];
        for (int i = 0; i < IMAGES; i++) {
            labels[i] = i % CLASSES;
            // Two that tell all together; two that tell as much by their fifth digits; one that is dead.
            features[i] = new float[] {(labels[i] == 0 ? 1 : 0) + 0.1f * (float) random.nextGaussian(),
                    (labels[i] == 1 ? 1 : 0) + 0.1f * (float) random.nextGaussian(), 4 + (labels[i] == 0 ? 1e-4f : 0),
                    4 + (labels[i] == 1 ? 1e-4f : 0), 0};
        }
        HeadStart head = HeadStart.of(features, labels, CLASSES);
        assertThat(head.accuracy()).isEqualTo(1);
        for (int i = 0; i < IMAGES; i++) {
            assertThat(best(head, features[i])).as("image %d", i).isEqualTo(labels[i]);
            features[i][2] += 0.05f;
            assertThat(best(head, features[i])).as("image %d, moved", i).isEqualTo(labels[i]);
        }
        assertThat(head.weight()).doesNotContain(Float.NaN);
    }

    @Test
    void leavesOutWhatRoundingAloneVaries() {
        float[][] features = new float[IMAGES][];
        int[] labels = new int[IMAGES];
        for (int i = 0; i < IMAGES; i++) {
            labels[i] = i % CLASSES;
            features[i] = new float[] {1.1f + labels[i] * Math.ulp(1.1f), 3.3f};
        }
        assertThat(HeadStart.of(features, labels, CLASSES).weight()).containsOnly(0);
    }
}
