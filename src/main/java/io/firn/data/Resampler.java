package io.firn.data;

/**
 * Antialiased bilinear resizing that gives Pillow's bytes, which is what torchvision's presets and hence the
 * published weights were made with.
 *
 * <p>Source: Pillow, {@code src/libImaging/Resample.c}: a triangle filter as wide as the reduction, first across and
 * then down, each with coefficients in fixed point of 22 bits and a rounding to bytes in between. Without the
 * rounding at the same places the results would differ by one here and there.
 */
final class Resampler {
    private static final int PRECISION = 32 - 8 - 2;

    private Resampler() {
    }

    /** A rectangle in pixels. */
    record Box(int top, int left, int height, int width) {
        static Box of(Image image) {
            return new Box(0, 0, image.height(), image.width());
        }

        /** The rectangle of this size in the middle of {@code height} by {@code width}, rounded as torchvision does. */
        static Box centre(int height, int width, int cropHeight, int cropWidth) {
            return new Box((int) Math.rint((height - cropHeight) / 2.0), (int) Math.rint((width - cropWidth) / 2.0), cropHeight, cropWidth);
        }
    }

    /**
     * Cuts {@code source} out of the image, resizes it to {@code size}, and returns the part {@code window} of that.
     * Pixels outside {@code source} have no influence, as if the image had been cropped first.
     *
     * @param source inside the image
     * @param window inside {@code size}; only what it needs is computed
     */
    static Image resize(Image image, Box source, Size size, Box window) {
        if (size.height() == source.height && size.width() == source.width) {
            return crop(image, new Box(source.top + window.top, source.left + window.left, window.height, window.width));
        }
        Taps across = Taps.of(source.width, size.width(), window.left, window.width);
        Taps down = Taps.of(source.height, size.height(), window.top, window.height);
        int firstRow = down.first[0];
        int rows = down.first[window.height - 1] + down.count[window.height - 1] - firstRow;
        Image strip = across(image, source.top + firstRow, rows, source.left, across);
        return down(strip, firstRow, down);
    }

    /** A copy of a rectangle that lies inside the image. */
    static Image crop(Image image, Box box) {
        if (box.equals(Box.of(image))) {
            return image;
        }
        int row = box.width * image.channels();
        byte[] pixels = new byte[Math.multiplyExact(box.height, row)];
        for (int y = 0; y < box.height; y++) {
            System.arraycopy(image.pixels(), ((box.top + y) * image.width() + box.left) * image.channels(), pixels, y * row, row);
        }
        return new Image(box.height, box.width, image.channels(), pixels);
    }

    private static Image across(Image image, int top, int rows, int left, Taps taps) {
        int channels = image.channels();
        int width = taps.first.length;
        byte[] in = image.pixels();
        byte[] out = new byte[Math.multiplyExact(rows, width * channels)];
        int at = 0;
        for (int y = 0; y < rows; y++) {
            int start = ((top + y) * image.width() + left) * channels;
            for (int x = 0; x < width; x++) {
                int k = x * taps.stride;
                int end = k + taps.count[x];
                int from = start + taps.first[x] * channels;
                if (channels == 3) {
                    int red = 1 << PRECISION - 1;
                    int green = red;
                    int blue = red;
                    for (; k < end; k++, from += 3) {
                        int weight = taps.weights[k];
                        red += (in[from] & 0xFF) * weight;
                        green += (in[from + 1] & 0xFF) * weight;
                        blue += (in[from + 2] & 0xFF) * weight;
                    }
                    out[at++] = toByte(red);
                    out[at++] = toByte(green);
                    out[at++] = toByte(blue);
                } else {
                    int gray = 1 << PRECISION - 1;
                    for (; k < end; k++, from++) {
                        gray += (in[from] & 0xFF) * taps.weights[k];
                    }
                    out[at++] = toByte(gray);
                }
            }
        }
        return new Image(rows, width, channels, out);
    }

    private static Image down(Image strip, int firstRow, Taps taps) {
        int height = taps.first.length;
        int row = strip.width() * strip.channels();
        byte[] in = strip.pixels();
        byte[] out = new byte[Math.multiplyExact(height, row)];
        int[] sums = new int[row];
        for (int y = 0; y < height; y++) {
            java.util.Arrays.fill(sums, 1 << PRECISION - 1);
            for (int tap = 0; tap < taps.count[y]; tap++) {
                int weight = taps.weights[y * taps.stride + tap];
                int from = (taps.first[y] - firstRow + tap) * row;
                for (int i = 0; i < row; i++) {
                    sums[i] += (in[from + i] & 0xFF) * weight;
                }
            }
            for (int i = 0; i < row; i++) {
                out[y * row + i] = toByte(sums[i]);
            }
        }
        return new Image(height, strip.width(), strip.channels(), out);
    }

    private static byte toByte(int sum) {
        // A triangle's weights are not negative, so only rounding can lead out of range, and only upwards.
        return (byte) Math.min(sum >> PRECISION, 255);
    }

    /**
     * Which source pixels make up each target pixel: {@code count[i]} of them from {@code first[i]}, with the weights
     * from {@code weights[i * stride]}.
     */
    private record Taps(int[] first, int[] count, int[] weights, int stride) {
        static Taps of(int in, int out, int from, int length) {
            double scale = (double) in / out;
            double support = Math.max(scale, 1);
            int stride = (int) Math.ceil(support) * 2 + 1;
            Taps taps = new Taps(new int[length], new int[length], new int[Math.multiplyExact(length, stride)], stride);
            double[] weights = new double[stride];
            for (int i = 0; i < length; i++) {
                double centre = (from + i + 0.5) * scale;
                int first = Math.max((int) (centre - support + 0.5), 0);
                int count = Math.min((int) (centre + support + 0.5), in) - first;
                double sum = 0;
                for (int k = 0; k < count; k++) {
                    weights[k] = Math.max(0, 1 - Math.abs((k + first - centre + 0.5) * (1 / support)));
                    sum += weights[k];
                }
                for (int k = 0; k < count; k++) {
                    taps.weights[i * stride + k] = (int) (0.5 + weights[k] / sum * (1 << PRECISION));
                }
                taps.first[i] = first;
                taps.count[i] = count;
            }
            return taps;
        }
    }
}
