package io.firn.train;

import io.firn.data.Augment;
import io.firn.data.LoaderOptions;
import java.util.List;

/**
 * How an image becomes a network's input when it is not varied: what a weight file keeps, so that prediction sees images
 * as training did.
 *
 * @param resize     pixels of the shorter side before the centre is cut out; 0 for images that have the size already
 * @param resolution pixels of the square input's side
 * @param channels   1 (gray) or 3
 * @param mean       a number a channel, in pixel values from 0 to 1
 * @param std        a number a channel, in the same unit
 */
public record Preprocessing(int resize, int resolution, int channels, List<Double> mean, List<Double> std) {

    public Preprocessing {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        if (mean.size() != channels || std.size() != channels) {
            throw new IllegalArgumentException("mean %s and std %s of %d channels".formatted(mean, std, channels));
        }
    }

    /** A loader's options that take every image once, in the set's order. */
    public LoaderOptions inOrder(int batch, int workers) {
        return new LoaderOptions(batch, resolution, resolution, channels, Augment.NONE, resize, false, 0, workers, false);
    }
}
