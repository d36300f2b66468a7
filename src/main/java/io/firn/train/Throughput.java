package io.firn.train;

/**
 * How many images a network was asked about, and how fast.
 *
 * @param images  that could be read
 * @param damaged that could not
 */
public record Throughput(int images, int damaged, double seconds) {
    public double imagesPerSecond() {
        return images / Math.max(1e-9, seconds);
    }
}
