package io.firn.data;

/**
 * A decoded image in ordinary memory: {@code height * width * channels} unsigned bytes, rows from the top, the
 * channels of a pixel side by side (HWC); one channel is gray, three are red, green, blue.
 *
 * @param original the size of the image that it is a reduction of: its own, unless it was decoded at less cost
 * @param pixels   not copied: whoever makes an image hands the array over
 */
public record Image(int height, int width, int channels, Size original, byte[] pixels) {
    public Image {
        if (height < 1 || width < 1 || (channels != 1 && channels != 3)) {
            throw new IllegalArgumentException("not an image: %dx%d with %d channels".formatted(width, height, channels));
        }
        if (pixels.length != (long) height * width * channels) {
            throw new IllegalArgumentException("%dx%d with %d channels needs %d bytes, not %d"
                    .formatted(width, height, channels, (long) height * width * channels, pixels.length));
        }
        if (height > original.height() || width > original.width()) {
            throw new IllegalArgumentException("%dx%d is no reduction of %s".formatted(width, height, original));
        }
    }

    /** An image of its original size. */
    public Image(int height, int width, int channels, byte[] pixels) {
        this(height, width, channels, new Size(height, width), pixels);
    }

    /** Whether it has its original size. */
    public boolean isWhole() {
        return height == original.height() && width == original.width();
    }
}
