package io.firn.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.finetune.Measurement.Spread;
import java.util.List;
import java.util.Random;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.junit.jupiter.api.Test;

/** The probes against what they are defined as, on small random features. */
class ProbeTest {
    private static final int CLASSES = 3;

    private static int[] labels(int n) {
        int[] labels = new int[n];
        for (int i = 0; i < n; i++) {
            labels[i] = i % CLASSES;
        }
        return labels;
    }

    /** Noise, and in the first columns what class it is. */
    private static float[][] features(int n, int d, double signal, long seed) {
        Random random = new Random(seed);
        float[][] x = new float[n][d];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < d; j++) {
                x[i][j] = (float) (random.nextGaussian() + (j == i % CLASSES ? signal : 0) + 5);
            }
        }
        return x;
    }

    @Test
    void leavingOneOutInClosedFormIsLeavingOneOut() {
        // With strengths far apart the winner is known; the refits then have to agree image by image.
        float[][] x = features(24, 7, 2, 1);
        int[] y = labels(24);
        boolean[] closed = Probe.of(x, y, CLASSES).ridge().right();
        int agree = 0;
        for (double strength : new double[] {1e-3, 1e-2, 1e-1, 1, 10}) {
            boolean[] refitted = refitted(x, y, strength);
            boolean same = true;
            for (int i = 0; i < closed.length; i++) {
                same &= closed[i] == refitted[i];
            }
            agree += same ? 1 : 0;
        }
        assertThat(agree).as("at least the chosen strength").isPositive();
    }

    /** Ridge regression anew for each image without it; features are standardised over all, as the probe does. */
    private static boolean[] refitted(float[][] x, int[] y, double strength) {
        int n = x.length;
        int d = x[0].length;
        DMatrixRMaj all = new DMatrixRMaj(n, d);
        for (int j = 0; j < d; j++) {
            double mean = 0;
            double squares = 0;
            for (int i = 0; i < n; i++) {
                mean += x[i][j] / (double) n;
                squares += (double) x[i][j] * x[i][j] / n;
            }
            for (int i = 0; i < n; i++) {
                all.set(i, j, (x[i][j] - mean) / Math.sqrt(squares - mean * mean));
            }
        }
        // Each of d columns has squares that sum to n, which is the mean eigenvalue.
        double lambda = strength * n;
        boolean[] right = new boolean[n];
        for (int out = 0; out < n; out++) {
            // An intercept that the ridge leaves alone.
            DMatrixRMaj a = new DMatrixRMaj(n - 1, d + 1);
            DMatrixRMaj b = new DMatrixRMaj(n - 1, CLASSES);
            for (int i = 0, row = 0; i < n; i++) {
                if (i != out) {
                    for (int j = 0; j < d; j++) {
                        a.set(row, j, all.get(i, j));
                    }
                    a.set(row, d, 1);
                    b.set(row++, y[i], 1);
                }
            }
            DMatrixRMaj gram = new DMatrixRMaj(d + 1, d + 1);
            DMatrixRMaj target = new DMatrixRMaj(d + 1, CLASSES);
            DMatrixRMaj w = new DMatrixRMaj(d + 1, CLASSES);
            CommonOps_DDRM.multTransA(a, a, gram);
            CommonOps_DDRM.multTransA(a, b, target);
            for (int j = 0; j < d; j++) {
                gram.add(j, j, lambda);
            }
            assertThat(CommonOps_DDRM.solve(gram, target, w)).isTrue();
            int top = 0;
            double[] scores = new double[CLASSES];
            for (int k = 0; k < CLASSES; k++) {
                scores[k] = w.get(d, k);
                for (int j = 0; j < d; j++) {
                    scores[k] += all.get(out, j) * w.get(j, k);
                }
                top = scores[k] > scores[top] ? k : top;
            }
            right[out] = top == y[out];
        }
        return right;
    }

    @Test
    void signalIsFoundAndNoiseIsNot() {
        int[] y = labels(150);
        for (int d : new int[] {6, 400}) {
            Probe clear = Probe.of(features(150, d, d == 6 ? 6 : 12, 2), y, CLASSES);
            Probe noise = Probe.of(features(150, d, 0, 3), y, CLASSES);
            assertThat(clear.ridge().accuracy()).as("%d columns", d).isGreaterThan(d == 6 ? 0.95 : 0.7);
            assertThat(clear.neighbours()).isGreaterThan(d == 6 ? 0.9 : 0.45);
            assertThat(noise.ridge().accuracy()).isBetween(0.15, 0.52);
            assertThat(noise.neighbours()).isBetween(0.15, 0.52);
            assertThat(clear.logMe()).isGreaterThan(noise.logMe());
            assertThat(clear.ridge().errorsAbove(noise.ridge())).isGreaterThan(5);
        }
    }

    @Test
    void manyColumnsAreProjectedAndKeepTheSignal() {
        assertThat(Probe.of(features(600, 700, 8, 4), labels(600), CLASSES).ridge().accuracy()).isGreaterThan(0.7);
    }

    @Test
    void columnsWithoutVarietySayNothing() {
        float[][] x = features(30, 3, 8, 5);
        for (float[] row : x) {
            row[0] = 7;
        }
        assertThat(Probe.of(x, labels(30), CLASSES).ridge().accuracy()).isGreaterThan(0.6);
        assertThat(Probe.of(new float[30][3], labels(30), CLASSES).ridge().accuracy()).isLessThanOrEqualTo(0.5);
    }

    @Test
    void theDistanceIsThatOfNormalDistributions() {
        var target = new Spread(new double[] {1, 0}, new double[] {1, 4});
        // (1 - 0)² / 1 + 0, and 0 + (2 / 1 - 1)².
        assertThat(Shift.distance(target, new float[] {0, 0}, new float[] {1, 1})).isCloseTo(1, within(1e-4));
        assertThat(Shift.distance(target, new float[] {1, 0}, new float[] {1, 4})).isCloseTo(0, within(1e-12));
    }

    @Test
    void theCurveRisesWithTheImages() {
        LearningCurve curve = LearningCurve.of(features(240, 60, 3, 6), labels(240), CLASSES, 1);
        assertThat(curve.points().stream().map(LearningCurve.Point::images)).isEqualTo(List.of(20.0, 40.0, 80.0));
        assertThat(curve.points().getLast().accuracy()).isGreaterThan(curve.points().getFirst().accuracy());
    }
}
