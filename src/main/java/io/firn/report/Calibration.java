package io.firn.report;

import java.util.ArrayList;
import java.util.List;

/**
 * How far confidence can be trusted (Guo et al. 2017, arXiv 1706.04599): predictions in bins of equal width by confidence.
 *
 * @param error the expected calibration error: the mean distance, over images, of a bin's accuracy from its mean confidence
 */
record Calibration(List<Bin> bins, double error) {
    static final int BINS = 15;

    /** @param share of all images; accuracy and confidence are NaN for an empty bin */
    record Bin(double from, double to, double share, double accuracy, double confidence) {
    }

    static Calibration of(List<Validation.Prediction> predictions) {
        int[] count = new int[BINS];
        int[] right = new int[BINS];
        double[] confidence = new double[BINS];
        for (Validation.Prediction p : predictions) {
            int b = Math.min(BINS - 1, (int) (p.confidence() * BINS));
            count[b]++;
            right[b] += p.isRight() ? 1 : 0;
            confidence[b] += p.confidence();
        }
        List<Bin> bins = new ArrayList<>();
        double error = 0;
        for (int b = 0; b < BINS; b++) {
            bins.add(new Bin(b / (double) BINS, (b + 1) / (double) BINS, count[b] / (double) predictions.size(),
                    right[b] / (double) count[b], confidence[b] / count[b]));
            error += Math.abs(right[b] - confidence[b]) / predictions.size();
        }
        return new Calibration(bins, error);
    }
}
