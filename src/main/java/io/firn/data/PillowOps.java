package io.firn.data;

import java.util.Arrays;

/**
 * The image operations that augmentation policies are made of, byte for byte as Pillow computes them, which is what
 * torchvision's transforms call: ImageOps, ImageEnhance, ImageFilter.SMOOTH, and affine maps with nearest neighbours.
 * Every operation returns an image of the same size; what it returns may be its argument where nothing changes.
 *
 * <p>Sources: Pillow's documentation of each, {@code Geometry.c} (16.16 fixed point), {@code Blend.c}, {@code Filter.c}.
 */
final class PillowOps {
    private static final int LEVELS = 256;
    private static final double FIXED = 65536;

    private PillowOps() {
    }

    /** A map of each byte to another, a table a channel. */
    private static Image mapped(Image image, byte[][] tables) {
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        int channels = image.channels();
        for (int i = 0; i < in.length; i++) {
            out[i] = tables[i % channels][in[i] & 0xFF];
        }
        return new Image(image.height(), image.width(), channels, out);
    }

    private static Image mapped(Image image, byte[] table) {
        byte[][] tables = new byte[image.channels()][];
        Arrays.fill(tables, table);
        return mapped(image, tables);
    }

    /** What a table of 256 bytes has for each value. */
    private interface Level {
        int of(int value);
    }

    private static byte[] table(Level level) {
        byte[] table = new byte[LEVELS];
        for (int i = 0; i < LEVELS; i++) {
            table[i] = (byte) level.of(i);
        }
        return table;
    }

    static Image invert(Image image) {
        return mapped(image, table(v -> 255 - v));
    }

    /** Keeps the upper {@code bits} of each byte. */
    static Image posterize(Image image, int bits) {
        return mapped(image, table(v -> v & -(1 << 8 - bits)));
    }

    /** Inverts what is not below the threshold. */
    static Image solarize(Image image, double threshold) {
        return mapped(image, table(v -> v < threshold ? v : 255 - v));
    }

    /** Stretches each channel to all of 0 to 255. */
    static Image autoContrast(Image image) {
        byte[][] tables = new byte[image.channels()][];
        for (int c = 0; c < tables.length; c++) {
            int[] counts = histogram(image, c);
            int low = 0;
            while (counts[low] == 0) {
                low++;
            }
            int high = LEVELS - 1;
            while (counts[high] == 0) {
                high--;
            }
            double scale = high <= low ? 1 : 255.0 / (high - low);
            double offset = high <= low ? 0 : -low * scale;
            tables[c] = table(v -> Math.clamp((int) (v * scale + offset), 0, 255));
        }
        return mapped(image, tables);
    }

    /** Flattens the histogram of each channel. */
    static Image equalize(Image image) {
        byte[][] tables = new byte[image.channels()][];
        for (int c = 0; c < tables.length; c++) {
            int[] counts = histogram(image, c);
            int last = LEVELS - 1;
            while (counts[last] == 0) {
                last--;
            }
            int step = (image.height() * image.width() - counts[last]) / 255;
            int n = step / 2;
            byte[] table = new byte[LEVELS];
            for (int v = 0; v < LEVELS; v++) {
                table[v] = (byte) (step == 0 ? v : Math.min(n / step, 255));
                n += counts[v];
            }
            tables[c] = table;
        }
        return mapped(image, tables);
    }

    private static int[] histogram(Image image, int channel) {
        int[] counts = new int[LEVELS];
        for (int i = channel; i < image.pixels().length; i += image.channels()) {
            counts[image.pixels()[i] & 0xFF]++;
        }
        return counts;
    }

    /** From black (0) through the image itself (1) to brighter ones. */
    static Image brightness(Image image, double factor) {
        return blend(new byte[image.pixels().length], image, factor);
    }

    /** From gray (0) through the image itself (1) to more colourful ones. */
    static Image colour(Image image, double factor) {
        return blend(spread(Transform.toGray(image), image.channels()), image, factor);
    }

    /** From the mean gray (0) through the image itself (1) to more contrast. */
    static Image contrast(Image image, double factor) {
        byte[] gray = Transform.toGray(image).pixels();
        long sum = 0;
        for (byte v : gray) {
            sum += v & 0xFF;
        }
        byte[] mean = new byte[image.pixels().length];
        Arrays.fill(mean, (byte) (int) ((double) sum / gray.length + 0.5));
        return blend(mean, image, factor);
    }

    /** From smooth (0) through the image itself (1) to sharper ones. */
    static Image sharpness(Image image, double factor) {
        return blend(smooth(image), image, factor);
    }

    private static byte[] spread(Image gray, int channels) {
        if (channels == 1) {
            return gray.pixels();
        }
        byte[] colour = new byte[gray.pixels().length * channels];
        for (int i = 0; i < colour.length; i++) {
            colour[i] = gray.pixels()[i / channels];
        }
        return colour;
    }

    /** A 3x3 filter with 5 in the middle and 1 around it, over 13; the border stays. In single precision, as Pillow's. */
    private static byte[] smooth(Image image) {
        byte[] in = image.pixels();
        byte[] out = in.clone();
        int step = image.channels();
        int row = image.width() * step;
        float side = 1f / 13;
        float middle = 5f / 13;
        for (int y = 1; y < image.height() - 1; y++) {
            for (int i = y * row + step; i < (y + 1) * row - step; i++) {
                float sum = 0.5f;
                sum += three(in, i + row, step, side, side);
                sum += three(in, i, step, side, middle);
                sum += three(in, i - row, step, side, side);
                out[i] = (byte) Math.clamp((int) sum, 0, 255);
            }
        }
        return out;
    }

    private static float three(byte[] in, int i, int step, float side, float middle) {
        return (in[i - step] & 0xFF) * side + (in[i] & 0xFF) * middle + (in[i + step] & 0xFF) * side;
    }

    /** from + alpha · (to - from), truncated, in single precision. */
    private static Image blend(byte[] from, Image to, double alpha) {
        float share = (float) alpha;
        byte[] in = to.pixels();
        byte[] out = new byte[in.length];
        for (int i = 0; i < out.length; i++) {
            int a = from[i] & 0xFF;
            out[i] = (byte) Math.clamp((int) (a + share * ((in[i] & 0xFF) - a)), 0, 255);
        }
        return new Image(to.height(), to.width(), to.channels(), out);
    }

    /** Shifts by whole pixels, to the right and down; zeros come in. */
    static Image translate(Image image, int x, int y) {
        return affine(image, 1, 0, -x, 0, 1, -y);
    }

    /** Each row is shifted by {@code slope} times its number. */
    static Image shearX(Image image, double slope) {
        return affine(image, 1, Math.tan(Math.toRadians(Math.toDegrees(Math.atan(slope)))), 0, 0, 1, 0);
    }

    /** Each column is shifted by {@code slope} times its number. */
    static Image shearY(Image image, double slope) {
        double angle = Math.toRadians(Math.toDegrees(Math.atan(slope)));
        return affine(image, 1, 0, 0, Math.sin(angle) / Math.cos(angle), 1, 0);
    }

    /** Turns counter-clockwise about the middle; zeros come in. */
    static Image rotate(Image image, double degrees) {
        double angle = -Math.toRadians(degrees < 0 ? degrees + 360 : degrees);
        double cos = rounded(Math.cos(angle));
        double sin = rounded(Math.sin(angle));
        double x = image.width() / 2.0;
        double y = image.height() / 2.0;
        return affine(image, cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y);
    }

    /** To 15 digits after the point. */
    private static double rounded(double v) {
        return Math.rint(v * 1e15) / 1e15;
    }

    /**
     * Each pixel (x, y) is the one at (a x + b y + c, d x + e y + f) of the image, or zero where there is none. Turned and
     * sheared maps are computed in 16.16 fixed point.
     */
    private static Image affine(Image image, double a, double b, double c, double d, double e, double f) {
        int channels = image.channels();
        int height = image.height();
        int width = image.width();
        byte[] out = new byte[image.pixels().length];
        int across = fixed(a);
        int acrossDown = fixed(b);
        int down = fixed(d);
        int downDown = fixed(e);
        int x0 = fixed(c + a * 0.5 + b * 0.5);
        int y0 = fixed(f + d * 0.5 + e * 0.5);
        for (int y = 0; y < height; y++, x0 += acrossDown, y0 += downDown) {
            int fromX = x0;
            int fromY = y0;
            for (int x = 0; x < width; x++, fromX += across, fromY += down) {
                int sx = fromX >> 16;
                int sy = fromY >> 16;
                if (sx >= 0 && sx < width && sy >= 0 && sy < height) {
                    System.arraycopy(image.pixels(), (sy * width + sx) * channels, out, (y * width + x) * channels, channels);
                }
            }
        }
        return new Image(height, width, channels, out);
    }

    private static int fixed(double v) {
        return (int) Math.floor(v * FIXED + 0.5);
    }
}
