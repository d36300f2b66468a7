package io.firn.train;

/**
 * How good a network is on a data set.
 *
 * @param images  with a label that could be read
 * @param loss    mean cross-entropy, without label smoothing
 * @param top1    share of the images whose class has the largest logit, from 0 to 1
 * @param top5    share of those whose class is among the five largest
 * @param seconds that it took
 */
public record Evaluation(long images, double loss, double top1, double top5, double seconds) {
    public double imagesPerSecond() {
        return images / Math.max(1e-9, seconds);
    }
}
