package io.firn.report;

import java.util.ArrayList;
import java.util.List;

/**
 * How far confidence can be trusted (Guo et al. 2017, arXiv 1706.04599): predictions in bins of equal width by confidence.
 *
 * @param error the expected calibration error: the mean distance, over images, of a bin's accuracy from its mean confidence
 */
public record Calibration(List<Bin> bins, double error) {
    static final int BINS = 15;

    /** @param share of all images; accuracy and confidence are NaN for an empty bin */
    public record Bin(double from, double to, double share, double accuracy, double confidence) {
    }

    static Calibration of(List<Validation.Prediction> predictions) {
        Counts counts = new Counts();
        predictions.forEach(p -> counts.add(p.confidence(), p.isRight()));
        return counts.calibration();
    }

    /** Sums up predictions as they come. */
    public static final class Counts {
        private final int[] count = new int[BINS];
        private final int[] right = new int[BINS];
        private final double[] confidence = new double[BINS];
        private int all;

        /** @param sure the probability of the class that is predicted */
        public void add(double sure, boolean isRight) {
            int b = Math.min(BINS - 1, (int) (sure * BINS));
            count[b]++;
            right[b] += isRight ? 1 : 0;
            confidence[b] += sure;
            all++;
        }

        public Calibration calibration() {
            List<Bin> bins = new ArrayList<>();
            double error = 0;
            for (int b = 0; b < BINS; b++) {
                bins.add(new Bin(b / (double) BINS, (b + 1) / (double) BINS, count[b] / (double) all,
                        right[b] / (double) count[b], confidence[b] / count[b]));
                error += Math.abs(right[b] - confidence[b]) / all;
            }
            return new Calibration(bins, error);
        }
    }
}
