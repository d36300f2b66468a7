package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.data.Resampler.Box;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The fast loops against Pillow's formula, written down plainly, at sizes of every kind: few and many taps, vectors and rests. */
class ResamplerTest {
    @Test
    void fastLoopsGiveTheFormulasBytes() {
        Random random = new Random(5);
        for (int run = 0; run < 120; run++) {
            int channels = random.nextBoolean() ? 3 : 1;
            Image image = Samples.pattern(1 + random.nextInt(90), 1 + random.nextInt(90), channels);
            Size size = new Size(1 + random.nextInt(60), 1 + random.nextInt(60));
            Box window = window(size, random);
            Image resized = Resampler.resize(image, Box.of(image), size, window);
            assertThat(resized.pixels()).as("%s to %s", image.original(), size)
                    .isEqualTo(Resampler.crop(plainly(image, size), window).pixels());
        }
    }

    private static Box window(Size size, Random random) {
        int top = random.nextInt(size.height());
        int left = random.nextInt(size.width());
        return new Box(top, left, 1 + random.nextInt(size.height() - top), 1 + random.nextInt(size.width() - left));
    }

    private static Image plainly(Image image, Size size) {
        int c = image.channels();
        byte[] across = new byte[image.height() * size.width() * c];
        for (int y = 0; y < image.height(); y++) {
            for (int x = 0; x < size.width() * c; x++) {
                across[y * size.width() * c + x] = sum(image.pixels(), y * image.width() * c + x % c, c, image.width(), size.width(), x / c);
            }
        }
        byte[] down = new byte[size.height() * size.width() * c];
        for (int y = 0; y < size.height(); y++) {
            for (int x = 0; x < size.width() * c; x++) {
                down[y * size.width() * c + x] = sum(across, x, size.width() * c, image.height(), size.height(), y);
            }
        }
        return new Image(size.height(), size.width(), c, down);
    }

    /** One pixel of a line of {@code in} pixels, {@code step} apart, that becomes {@code out} pixels. */
    private static byte sum(byte[] pixels, int start, int step, int in, int out, int place) {
        if (in == out) {
            return pixels[start + place * step];
        }
        double scale = (double) in / out;
        double support = Math.max(1, scale);
        double centre = (place + 0.5) * scale;
        int first = Math.max(0, (int) (centre - support + 0.5));
        int end = Math.min(in, (int) (centre + support + 0.5));
        double total = 0;
        for (int i = first; i < end; i++) {
            total += weight(i, centre, support);
        }
        int sum = 1 << 21;
        for (int i = first; i < end; i++) {
            sum += (pixels[start + i * step] & 0xFF) * (int) (0.5 + weight(i, centre, support) / total * (1 << 22));
        }
        return (byte) Math.min(255, sum >> 22);
    }

    private static double weight(int i, double centre, double support) {
        return Math.max(0, 1 - Math.abs((i - centre + 0.5) * (1 / support)));
    }
}
