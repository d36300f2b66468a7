package io.firn.data;

/**
 * A decoded image in ordinary memory: {@code height * width * channels} unsigned bytes, rows from the top, the
 * channels of a pixel side by side (HWC); one channel is gray, three are red, green, blue.
 *
 * @param pixels not copied: whoever makes an image hands the array over
 */
public record Image(int height, int width, int channels, byte[] pixels) {
    public Image {
        if (height < 1 || width < 1 || (channels != 1 && channels != 3)) {
            throw new IllegalArgumentException("not an image: %dx%d with %d channels".formatted(width, height, channels));
        }
        if (pixels.length != (long) height * width * channels) {
            throw new IllegalArgumentException("%dx%d with %d channels needs %d bytes, not %d"
                    .formatted(width, height, channels, (long) height * width * channels, pixels.length));
        }
    }
}
