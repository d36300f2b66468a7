package io.firn.train;

import io.firn.data.Augment;
import io.firn.error.UserError;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Which images, and how they are read.
 *
 * @param data      a path or a built-in name
 * @param val       the same for validation; null where the set's own part or a split serves
 * @param valSplit  share of the training images that is held out for validation, in [0, 1)
 * @param resize    {@code "none"}, or pixels of the shorter side before cropping
 * @param mean      a number a channel, in pixel values from 0 to 1
 * @param std       a number a channel, in the same unit
 * @param augment   a name of {@link Augment}
 * @param noShuffle whether every epoch goes through the images in the set's own order
 * @param workers   threads that read and decode
 * @param imageCache room for decoded images, such as {@code 8GB}; null for none
 * @param imageCacheFolder where the cache is a file; null for memory
 */
public record DataOptions(String data, String val, double valSplit, String resize, List<Double> mean, List<Double> std,
                          String augment, boolean noShuffle, int workers, String imageCache, String imageCacheFolder) {
    static final String NO_RESIZE = "none";
    private static final List<String> AUGMENTS = Arrays.stream(Augment.values())
            .map(a -> a.name().toLowerCase(Locale.ROOT)).toList();

    public DataOptions {
        if (data == null || data.isBlank()) {
            throw missing();
        }
        Range.below("val-split", valSplit, 0, 1);
        if (val != null && valSplit > 0) {
            throw UserError.usage("--val and --val-split exclude each other: give one of them");
        }
        pixels(resize);
        Range.oneOf("augment", augment, AUGMENTS);
        Range.atLeast("workers", workers, 1);
        if (imageCache != null) {
            ByteSize.of("image-cache", imageCache);
        }
        if (imageCacheFolder != null && imageCache == null) {
            throw UserError.usage("--image-cache-folder needs --image-cache SIZE: how large its file may become");
        }
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        if (mean.size() != std.size() || mean.size() != 1 && mean.size() != 3) {
            throw UserError.usage("--mean and --std take one number a channel each (1 or 3), not %d and %d", mean.size(),
                    std.size());
        }
        mean.forEach(m -> Range.between("mean", m, 0, 1));
        std.forEach(s -> Range.positive("std", s));
    }

    static UserError missing() {
        return UserError.usage("--data is missing: give a folder of class folders, a file or a built-in name such as "
                + "fashion-mnist");
    }

    /** Bytes of room for decoded images; 0 for none. */
    public long cacheBytes() {
        return imageCache == null ? 0 : ByteSize.of("image-cache", imageCache);
    }

    /** Pixels of the shorter side before cropping; 0 for no resizing. */
    public int resizePixels() {
        return pixels(resize);
    }

    static int pixels(String resize) {
        if (resize.equals(NO_RESIZE)) {
            return 0;
        }
        try {
            int pixels = Integer.parseInt(resize);
            Range.atLeast("resize", pixels, 1);
            return pixels;
        } catch (NumberFormatException e) {
            throw UserError.usage("--resize %s: must be none or a number of pixels", resize);
        }
    }
}
