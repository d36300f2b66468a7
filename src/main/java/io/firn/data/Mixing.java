package io.firn.data;

import io.firn.data.Resampler.Box;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Mixup (Zhang et al. 2018, arXiv 1710.09412) and CutMix (Yun et al. 2019, arXiv 1905.04899) with torchvision's
 * definitions: each image of a batch is mixed with the one before it (the first with the last) in a share λ drawn from
 * Beta(α, α) once a batch; where both are on, a coin decides. Bytes are mixed and rounded to the nearest. λ is a function
 * of seed, epoch and the batch's number alone, so that resumed runs and all ranks draw the same.
 *
 * @param mixup  α of mixup; 0 for none
 * @param cutmix α of CutMix; 0 for none
 */
public record Mixing(double mixup, double cutmix) {
    public static final Mixing NONE = new Mixing(0, 0);

    /** Whether anything is mixed. */
    public boolean any() {
        return mixup > 0 || cutmix > 0;
    }

    /** The batch's image that a slot's is mixed with. */
    static int partner(int slot, int batch) {
        return (slot + batch - 1) % batch;
    }

    /**
     * Mixes the images of a full batch where they lie.
     *
     * @return the share of each image's own label
     */
    double apply(MemorySegment images, int batch, int height, int width, int channels, Draws draws) {
        boolean cut = cutmix > 0 && (mixup == 0 || draws.coin());
        double lambda = beta(cut ? cutmix : mixup, draws);
        long bytes = (long) height * width * channels;
        byte[] last = images.asSlice((batch - 1) * bytes, bytes).toArray(ValueLayout.JAVA_BYTE);
        byte[] own = new byte[last.length];
        byte[] other = new byte[last.length];
        Box box = cut ? box(lambda, height, width, draws) : null;
        // From the last to the first, so that each still finds the one before it as it was.
        for (int slot = batch - 1; slot >= 0; slot--) {
            MemorySegment.copy(images, ValueLayout.JAVA_BYTE, slot * bytes, own, 0, own.length);
            if (slot == 0) {
                System.arraycopy(last, 0, other, 0, other.length);
            } else {
                MemorySegment.copy(images, ValueLayout.JAVA_BYTE, (slot - 1) * bytes, other, 0, other.length);
            }
            if (cut) {
                paste(other, own, box, width * channels, channels);
            } else {
                blend(other, own, lambda);
            }
            MemorySegment.copy(own, 0, images, ValueLayout.JAVA_BYTE, slot * bytes, own.length);
        }
        return cut ? 1 - (double) box.height() * box.width() / ((double) height * width) : lambda;
    }

    private static void blend(byte[] from, byte[] into, double lambda) {
        for (int i = 0; i < into.length; i++) {
            into[i] = (byte) (int) Math.rint(lambda * (into[i] & 0xFF) + (1 - lambda) * (from[i] & 0xFF));
        }
    }

    private static void paste(byte[] from, byte[] into, Box box, int row, int channels) {
        for (int y = box.top(); y < box.top() + box.height(); y++) {
            int at = y * row + box.left() * channels;
            System.arraycopy(from, at, into, at, box.width() * channels);
        }
    }

    /** Around a random pixel, 1 - λ of the area, cut off at the image's border; it may be empty. */
    static Box box(double lambda, int height, int width, Draws draws) {
        int x = draws.below(width);
        int y = draws.below(height);
        double half = 0.5 * Math.sqrt(1 - lambda);
        int halfWidth = (int) (half * width);
        int halfHeight = (int) (half * height);
        int left = Math.max(x - halfWidth, 0);
        int top = Math.max(y - halfHeight, 0);
        return new Box(top, left, Math.min(y + halfHeight, height) - top, Math.min(x + halfWidth, width) - left);
    }

    /** Beta(α, α) as G₁ / (G₁ + G₂), from the logarithms of gamma variates, which do not underflow for small α. */
    static double beta(double alpha, Draws draws) {
        return 1 / (1 + Math.exp(logGamma(alpha, draws) - logGamma(alpha, draws)));
    }

    /** The logarithm of a gamma variate (Marsaglia and Tsang 2000; below 1 by a variate of α + 1 times U^(1/α)). */
    private static double logGamma(double alpha, Draws draws) {
        double boost = 0;
        if (alpha < 1) {
            boost = Math.log(positive(draws)) / alpha;
        }
        double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3;
        double c = 1 / Math.sqrt(9 * d);
        while (true) {
            double normal = Math.sqrt(-2 * Math.log(positive(draws))) * Math.cos(2 * Math.PI * draws.between(0, 1));
            double v = Math.pow(1 + c * normal, 3);
            if (v > 0 && Math.log(positive(draws)) < 0.5 * normal * normal + d - d * v + d * Math.log(v)) {
                return Math.log(d * v) + boost;
            }
        }
    }

    /** Uniform in (0, 1]. */
    private static double positive(Draws draws) {
        return 1 - draws.between(0, 1);
    }
}
