package io.firn.data;

import java.util.Arrays;

/**
 * What is subtracted from and divides each channel once bytes are scaled to 0…1. The device does it; the data stay bytes.
 *
 * @param mean one number a channel, in 0…1
 * @param std  one positive number a channel, in 0…1
 */
public record Normalization(double[] mean, double[] std) {
    /** ImageNet's, as torchvision's presets have them. */
    public static final Normalization IMAGENET =
            new Normalization(new double[] {0.485, 0.456, 0.406}, new double[] {0.229, 0.224, 0.225});
    public static final Normalization FASHION_MNIST = new Normalization(new double[] {0.2860}, new double[] {0.3530});
    public static final Normalization CIFAR_10 =
            new Normalization(new double[] {0.4914, 0.4822, 0.4465}, new double[] {0.2470, 0.2435, 0.2616});
    public static final Normalization CIFAR_100 =
            new Normalization(new double[] {0.5071, 0.4865, 0.4409}, new double[] {0.2673, 0.2564, 0.2762});

    public Normalization {
        if (mean.length != std.length || (mean.length != 1 && mean.length != 3)) {
            throw new IllegalArgumentException("mean and std need 1 or 3 numbers each, not %d and %d".formatted(mean.length, std.length));
        }
        for (double s : std) {
            if (!(s > 0) || Double.isInfinite(s)) {
                throw new IllegalArgumentException("std must be positive, not " + s);
            }
        }
        for (double m : mean) {
            if (!Double.isFinite(m)) {
                throw new IllegalArgumentException("mean must be finite, not " + m);
            }
        }
        mean = mean.clone();
        std = std.clone();
    }

    public int channels() {
        return mean.length;
    }

    /** For that many channels (1 or 3): repeated from gray to colour, averaged over the channels from colour to gray. */
    public Normalization forChannels(int channels) {
        if (channels == mean.length) {
            return this;
        }
        return new Normalization(convert(mean, channels), convert(std, channels));
    }

    private static double[] convert(double[] values, int channels) {
        double[] converted = new double[channels];
        Arrays.fill(converted, Arrays.stream(values).average().orElseThrow());
        return converted;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Normalization n && Arrays.equals(mean, n.mean) && Arrays.equals(std, n.std);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(mean) + Arrays.hashCode(std);
    }

    @Override
    public String toString() {
        return "mean " + Arrays.toString(mean) + " std " + Arrays.toString(std);
    }
}
