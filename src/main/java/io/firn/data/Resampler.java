package io.firn.data;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Antialiased bilinear resizing that gives Pillow's bytes, which is what torchvision's presets and hence the
 * published weights were made with.
 *
 * <p>Source: Pillow, {@code src/libImaging/Resample.c}: a triangle filter as wide as the reduction, first across and
 * then down, each with coefficients in fixed point of 22 bits and a rounding to bytes in between. Without the
 * rounding at the same places the results would differ by one here and there.
 *
 * <p>Across, four taps without a loop are as fast as vectors, which would have to gather; down is vectors throughout.
 */
final class Resampler {
    private static final int PRECISION = 32 - 8 - 2;
    private static final int HALF = 1 << PRECISION - 1;
    /** Reductions to no less than two thirds (500x375 to 256 is one) have at most as many taps. */
    private static final int FEW = 4;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    /** A quarter as wide; there are no vectors of less than 64 bits, so that machines with 128 go without. */
    private static final VectorSpecies<Byte> B = VectorSpecies.of(byte.class,
            VectorShape.forBitSize(Math.max(64, I.vectorBitSize() / 4)));
    private static final int LANES = B.length() == I.length() ? I.length() : 0;
    private static final IntVector WHITE = IntVector.broadcast(I, 255);

    private Resampler() {
    }

    /** A rectangle in pixels. */
    record Box(int top, int left, int height, int width) {
        /** All of an image, in pixels of its original. */
        static Box of(Image image) {
            return new Box(0, 0, image.original().height(), image.original().width());
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
     * @param source inside the image, in pixels of its original
     * @param window inside {@code size}; only what it needs is computed
     */
    static Image resize(Image image, Box source, Size size, Box window) {
        if (image.isWhole() && size.height() == source.height && size.width() == source.width) {
            return crop(image, new Box(source.top + window.top, source.left + window.left, window.height, window.width));
        }
        Span columns = Span.of(source.left, source.width, image.original().width(), image.width());
        Span rows = Span.of(source.top, source.height, image.original().height(), image.height());
        Taps across = Taps.of(columns, size.width(), window.left, window.width);
        Taps down = Taps.of(rows, size.height(), window.top, window.height);
        int firstRow = down.first[0];
        int count = down.first[window.height - 1] + down.count[window.height - 1] - firstRow;
        byte[] strip = across(image, rows.from + firstRow, count, columns.from, across);
        return new Image(window.height, window.width, image.channels(),
                down(strip, window.width * image.channels(), firstRow, down));
    }

    /** A copy of a rectangle that lies inside the image, which is whole. */
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

    /** Rows of the result's width; each byte less 128, so that {@link #down} can widen it with its sign, which is cheaper. */
    private static byte[] across(Image image, int top, int rows, int left, Taps taps) {
        int channels = image.channels();
        int row = taps.first.length * channels;
        byte[] out = new byte[Math.multiplyExact(rows, row)];
        for (int y = 0; y < rows; y++) {
            int from = ((top + y) * image.width() + left) * channels;
            if (channels == 1) {
                gray(image.pixels(), from, taps, out, y * row);
            } else if (taps.stride == FEW) {
                fewTaps(image.pixels(), from, taps, out, y * row);
            } else {
                manyTaps(image.pixels(), from, taps, out, y * row);
            }
        }
        return out;
    }

    private static void gray(byte[] in, int start, Taps taps, byte[] out, int to) {
        for (int x = 0; x < taps.first.length; x++) {
            int sum = HALF;
            for (int k = x * taps.stride, from = start + taps.first[x], end = k + taps.count[x]; k < end; k++, from++) {
                sum += (in[from] & 0xFF) * taps.weights[k];
            }
            out[to + x] = toSigned(sum);
        }
    }

    private static void fewTaps(byte[] in, int start, Taps taps, byte[] out, int to) {
        int[] weights = taps.weights;
        int[] first = taps.first;
        for (int x = 0; x < first.length; x++) {
            int at = start + 3 * first[x];
            int a = weights[4 * x];
            int b = weights[4 * x + 1];
            int c = weights[4 * x + 2];
            int d = weights[4 * x + 3];
            int red = HALF + (in[at] & 0xFF) * a + (in[at + 3] & 0xFF) * b + (in[at + 6] & 0xFF) * c + (in[at + 9] & 0xFF) * d;
            int green = HALF + (in[at + 1] & 0xFF) * a + (in[at + 4] & 0xFF) * b + (in[at + 7] & 0xFF) * c + (in[at + 10] & 0xFF) * d;
            int blue = HALF + (in[at + 2] & 0xFF) * a + (in[at + 5] & 0xFF) * b + (in[at + 8] & 0xFF) * c + (in[at + 11] & 0xFF) * d;
            out[to + 3 * x] = toSigned(red);
            out[to + 3 * x + 1] = toSigned(green);
            out[to + 3 * x + 2] = toSigned(blue);
        }
    }

    private static void manyTaps(byte[] in, int start, Taps taps, byte[] out, int to) {
        for (int x = 0; x < taps.first.length; x++) {
            int red = HALF;
            int green = HALF;
            int blue = HALF;
            for (int k = x * taps.stride, at = start + 3 * taps.first[x], end = k + taps.count[x]; k < end; k++, at += 3) {
                int weight = taps.weights[k];
                red += (in[at] & 0xFF) * weight;
                green += (in[at + 1] & 0xFF) * weight;
                blue += (in[at + 2] & 0xFF) * weight;
            }
            out[to + 3 * x] = toSigned(red);
            out[to + 3 * x + 1] = toSigned(green);
            out[to + 3 * x + 2] = toSigned(blue);
        }
    }

    private static byte[] down(byte[] strip, int row, int firstRow, Taps taps) {
        byte[] out = new byte[Math.multiplyExact(taps.first.length, row)];
        int vectors = LANES == 0 ? 0 : row - row % LANES;
        for (int y = 0; y < taps.first.length; y++) {
            int from = (taps.first[y] - firstRow) * row;
            int k = y * taps.stride;
            int count = taps.count[y];
            int bias = HALF;
            for (int tap = 0; tap < count; tap++) {
                // What across took off each byte.
                bias += taps.weights[k + tap] << 7;
            }
            downVectors(strip, from, row, vectors, taps.weights, k, count, bias, out, y * row);
            for (int i = vectors; i < row; i++) {
                int sum = bias;
                for (int tap = 0; tap < count; tap++) {
                    sum += strip[from + tap * row + i] * taps.weights[k + tap];
                }
                out[y * row + i] = toByte(sum);
            }
        }
        return out;
    }

    private static void downVectors(byte[] strip, int from, int row, int vectors, int[] weights, int k, int count, int bias,
            byte[] out, int to) {
        for (int i = 0; i < vectors; i += LANES) {
            IntVector sum = IntVector.broadcast(I, bias);
            for (int tap = 0; tap < count; tap++) {
                var pixels = (IntVector) ByteVector.fromArray(B, strip, from + tap * row + i).convertShape(VectorOperators.B2I, I, 0);
                sum = sum.add(pixels.mul(IntVector.broadcast(I, weights[k + tap])));
            }
            var bytes = (ByteVector) sum.lanewise(VectorOperators.ASHR, PRECISION).min(WHITE).convertShape(VectorOperators.I2B, B, 0);
            bytes.intoArray(out, to + i);
        }
    }

    private static byte toByte(int sum) {
        // A triangle's weights are not negative, so only rounding can lead out of range, and only upwards.
        return (byte) Math.min(sum >> PRECISION, 255);
    }

    private static byte toSigned(int sum) {
        return (byte) (Math.min(sum >> PRECISION, 255) - 128);
    }

    /**
     * What a stretch of the original is in an image that may be a reduction of it: pixels {@code from} to {@code to}, of
     * which {@code extent} count from {@code begin} on, behind the first.
     */
    private record Span(int from, int to, double begin, double extent) {
        static Span of(int start, int length, int original, int pixels) {
            double ratio = (double) pixels / original;
            double begin = start * ratio;
            double end = (start + length) * ratio;
            int from = (int) begin;
            return new Span(from, Math.min((int) Math.ceil(end), pixels), begin - from, end - begin);
        }

        int pixels() {
            return to - from;
        }
    }

    /**
     * Which source pixels make up each target pixel: {@code count[i]} of them from {@code first[i]}, with the weights
     * from {@code weights[i * stride]}.
     */
    private record Taps(int[] first, int[] count, int[] weights, int stride) {
        static Taps of(Span span, int out, int from, int length) {
            double scale = span.extent / out;
            double support = Math.max(scale, 1);
            int most = (int) Math.ceil(support) * 2 + 1;
            int in = span.pixels();
            int[] first = new int[length];
            int[] count = new int[length];
            int needed = 0;
            for (int i = 0; i < length; i++) {
                double centre = span.begin + (from + i + 0.5) * scale;
                first[i] = Math.max((int) (centre - support + 0.5), 0);
                count[i] = Math.min((int) (centre + support + 0.5), in) - first[i];
                needed = Math.max(needed, count[i]);
            }
            boolean few = needed <= FEW && in >= FEW;
            int stride = few ? FEW : needed;
            int[] fixed = new int[Math.multiplyExact(length, stride)];
            double[] weights = new double[most];
            for (int i = 0; i < length; i++) {
                double centre = span.begin + (from + i + 0.5) * scale;
                double sum = 0;
                for (int k = 0; k < count[i]; k++) {
                    weights[k] = Math.max(0, 1 - Math.abs((k + first[i] - centre + 0.5) * (1 / support)));
                    sum += weights[k];
                }
                // Few taps are always four: before the last pixels the first ones weigh nothing.
                int shift = few ? Math.max(0, first[i] + FEW - in) : 0;
                for (int k = 0; k < count[i]; k++) {
                    fixed[i * stride + shift + k] = (int) (0.5 + weights[k] / sum * (1 << PRECISION));
                }
                if (few) {
                    first[i] -= shift;
                    count[i] = FEW;
                }
            }
            return new Taps(first, count, fixed, stride);
        }
    }
}
