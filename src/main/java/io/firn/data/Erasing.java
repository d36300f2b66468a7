package io.firn.data;

import io.firn.data.Resampler.Box;
import java.util.List;

/**
 * Random erasing (Zhong et al. 2020, arXiv 1708.04896) with torchvision's definition: with probability {@code p} a
 * rectangle of 2 to 33 % of the area and an aspect from 0.3 to 3.3 is blanked out. torchvision writes zeros after
 * normalising, that is the mean colour; on bytes it is the nearest byte to that.
 *
 * @param p    probability
 * @param mean of each channel, in pixel values from 0 to 1
 */
public record Erasing(double p, List<Double> mean) {
    public static final Erasing NONE = new Erasing(0, List.of());
    private static final int ATTEMPTS = 10;

    public Erasing {
        mean = List.copyOf(mean);
    }

    /** Blanks a rectangle out where the draws say so; the pixels are written over. */
    void apply(byte[] pixels, int height, int width, int channels, Draws draws) {
        if (p == 0 || draws.between(0, 1) >= p) {
            return;
        }
        Box box = box(height, width, draws);
        if (box == null) {
            return;
        }
        for (int y = box.top(); y < box.top() + box.height(); y++) {
            for (int x = box.left(); x < box.left() + box.width(); x++) {
                for (int c = 0; c < channels; c++) {
                    pixels[(y * width + x) * channels + c] = (byte) (int) Math.rint(255 * mean.get(c));
                }
            }
        }
    }

    /** torchvision's {@code RandomErasing.get_params}; null where ten attempts did not fit. */
    static Box box(int height, int width, Draws draws) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double area = (double) height * width * draws.between(0.02, 0.33);
            double aspect = Math.exp(draws.between(Math.log(0.3), Math.log(3.3)));
            int h = (int) Math.rint(Math.sqrt(area * aspect));
            int w = (int) Math.rint(Math.sqrt(area / aspect));
            if (h < height && w < width) {
                return new Box(draws.below(height - h + 1), draws.below(width - w + 1), h, w);
            }
        }
        return null;
    }
}
