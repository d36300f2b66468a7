package io.firn.train;

/** Sums up how well logits agree with labels. Double precision throughout; images without a label count for nothing. */
final class Score {
    private static final int TOP = 5;

    private long images;
    private double loss;
    private long top1;
    private long top5;

    /**
     * Adds an image's logits: {@code classes} numbers from {@code from} on.
     *
     * @return its cross-entropy; NaN without a label
     */
    double add(float[] logits, int from, int classes, int label) {
        if (label < 0) {
            return Double.NaN;
        }
        images++;
        double own = logits[from + label];
        double largest = Double.NEGATIVE_INFINITY;
        int before = 0;
        for (int c = 0; c < classes; c++) {
            double other = logits[from + c];
            largest = Math.max(largest, other);
            // Written so that a NaN on either side counts as a miss; of equal logits the first class wins.
            if (c != label && (!(other <= own) || other == own && c < label)) {
                before++;
            }
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            sum += Math.exp(logits[from + c] - largest);
        }
        double entropy = Math.log(sum) + largest - own;
        loss += entropy;
        top1 += before < 1 ? 1 : 0;
        top5 += before < TOP ? 1 : 0;
        return entropy;
    }

    Evaluation result(double seconds) {
        double n = Math.max(1, images);
        return new Evaluation(images, loss / n, top1 / n, top5 / n, seconds);
    }
}
