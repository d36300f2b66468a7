package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.data.Resampler.Box;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Mixup, CutMix, random erasing and repeats: what they do to a batch, and how often. */
class MixingTest {
    private static Draws draws(int index) {
        return new Draws(Draws.Purpose.MIX, 7, 0, index);
    }

    private static byte[] images(int batch, int size) {
        byte[] images = new byte[batch * size];
        for (int i = 0; i < batch; i++) {
            Arrays.fill(images, i * size, (i + 1) * size, (byte) (10 + 50 * i));
        }
        return images;
    }

    @Test
    void mixupBlendsEachWithTheOneBefore() {
        byte[] images = images(4, 12);
        double lambda = new Mixing(1, 0).apply(MemorySegment.ofArray(images), 4, 2, 2, 3, draws(1));
        assertThat(lambda).isBetween(0.01, 0.99);
        for (int slot = 0; slot < 4; slot++) {
            double own = 10 + 50 * slot;
            double other = 10 + 50 * ((slot + 3) % 4);
            byte expected = (byte) Math.rint(lambda * own + (1 - lambda) * other);
            assertThat(Arrays.copyOfRange(images, 12 * slot, 12 * slot + 12)).containsOnly(expected);
            assertThat(Mixing.partner(slot, 4)).isEqualTo((slot + 3) % 4);
        }
    }

    @Test
    void cutMixPastesARectangleOfThatShare() {
        for (int i = 0; i < 50; i++) {
            byte[] images = images(3, 16 * 20);
            double lambda = new Mixing(0, 1).apply(MemorySegment.ofArray(images), 3, 16, 20, 1, draws(i));
            for (int slot = 0; slot < 3; slot++) {
                int own = 10 + 50 * slot;
                int other = 10 + 50 * ((slot + 2) % 3);
                int from = slot;
                long pasted = IntStream.range(0, 320).filter(p -> (images[320 * from + p] & 0xFF) == other).count();
                long kept = IntStream.range(0, 320).filter(p -> (images[320 * from + p] & 0xFF) == own).count();
                assertThat(pasted + kept).isEqualTo(320);
                assertThat(lambda).isCloseTo(kept / 320.0, within(1e-9));
            }
        }
        // torchvision's box at λ = 0.75 is half as wide and high, around a pixel.
        Box box = Mixing.box(0.75, 100, 200, draws(0));
        assertThat(box.height()).isBetween(25, 50);
        assertThat(box.width()).isBetween(50, 100);
    }

    /** Mean 1/2 and variance 1 / (4 (2α + 1)). */
    @Test
    void sharesAreBetaDistributed() {
        for (double alpha : new double[] {0.01, 0.2, 1, 3}) {
            double sum = 0;
            double squares = 0;
            int n = 20_000;
            for (int i = 0; i < n; i++) {
                double x = Mixing.beta(alpha, draws(i));
                assertThat(x).isBetween(0.0, 1.0);
                sum += x;
                squares += (x - 0.5) * (x - 0.5);
            }
            double variance = 1 / (4 * (2 * alpha + 1));
            assertThat(sum / n).as("α %s", alpha).isCloseTo(0.5, within(4 * Math.sqrt(variance / n)));
            assertThat(squares / n).as("α %s", alpha).isCloseTo(variance, within(0.03 * variance));
        }
    }

    @Test
    void bothTakeTurnsAtRandom() {
        int cut = 0;
        for (int i = 0; i < 400; i++) {
            byte[] images = images(2, 64);
            new Mixing(1, 1).apply(MemorySegment.ofArray(images), 2, 8, 8, 1, draws(i));
            Set<Byte> values = new HashSet<>();
            for (byte b : images) {
                values.add(b);
            }
            // A blend has one value an image, seldom a pure one.
            cut += values.stream().allMatch(v -> v == 10 || v == 60) ? 1 : 0;
        }
        assertThat(cut).isBetween(150, 250);
    }

    @Test
    void erasingBlanksARectangleOfTheMeanColour() {
        int erased = 0;
        for (int i = 0; i < 1000; i++) {
            byte[] pixels = new byte[30 * 20 * 3];
            Arrays.fill(pixels, (byte) 7);
            new Erasing(0.25, List.of(0.2, 0.4, 0.8)).apply(pixels, 30, 20, 3, new Draws(Draws.Purpose.AUGMENT, 1, 0, i));
            int count = 0;
            for (int p = 0; p < 600; p++) {
                boolean blank = pixels[3 * p] == 51 && pixels[3 * p + 1] == 102 && (pixels[3 * p + 2] & 0xFF) == 204;
                assertThat(blank || pixels[3 * p] == 7 && pixels[3 * p + 1] == 7 && pixels[3 * p + 2] == 7).isTrue();
                count += blank ? 1 : 0;
            }
            assertThat(count).isLessThan(240);
            erased += count > 0 ? 1 : 0;
        }
        assertThat(erased).isBetween(200, 300);
        Box box = Erasing.box(300, 400, new Draws(Draws.Purpose.AUGMENT, 1, 0, 3));
        assertThat(box.height() * box.width() / 120_000.0).isBetween(0.0199, 0.331);
        assertThat(box.height() / (double) box.width()).isBetween(0.299, 3.31);
    }

    @Test
    void repeatsComeInARowAndAreVariedAnew() {
        LoaderOptions options = new LoaderOptions(6, 8, 8, 1, Augment.STANDARD, 0, true, 3, 2, true, 0, 1, Erasing.NONE,
                Mixing.NONE, 3, 0);
        try (Loader loader = new Loader(new Plain(40), options, _ -> { }); Batches batches = loader.epoch(1, 0)) {
            Set<Integer> images = new HashSet<>();
            while (batches.hasNext()) {
                try (Batch b = batches.next()) {
                    for (int i = 0; i < 6; i += 3) {
                        assertThat(b.indices()[i]).isEqualTo(b.indices()[i + 1]).isEqualTo(b.indices()[i + 2]);
                        images.add(b.indices()[i]);
                    }
                }
            }
            assertThat(images).hasSize(12);
        }
    }

    @Test
    void aLoaderMixesTheSameWhateverItsWorkers() {
        List<byte[]> seen = IntStream.of(1, 3).mapToObj(workers -> {
            LoaderOptions options = new LoaderOptions(5, 8, 8, 1, Augment.NONE, 0, true, 3, workers, true, 0, 1, Erasing.NONE,
                    new Mixing(0.4, 1), 1, 0);
            try (Loader loader = new Loader(new Plain(23), options, _ -> { }); Batches batches = loader.epoch(2, 3);
                 Batch b = batches.next()) {
                assertThat(b.lambda()).isBetween(0.0, 1.0);
                assertThat(b.partner(0)).isEqualTo(b.labels()[4]);
                assertThat(b.partner(3)).isEqualTo(b.labels()[2]);
                return b.images().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
            }
        }).toList();
        assertThat(seen.get(0)).isEqualTo(seen.get(1));
    }

    /** Images of 8x8 that differ. */
    private record Plain(int size) implements Dataset {
        @Override
        public String name() {
            return "plain";
        }

        @Override
        public List<String> classes() {
            return List.of("a", "b", "c");
        }

        @Override
        public int channels() {
            return 1;
        }

        @Override
        public int label(int index) {
            return index % 3;
        }

        @Override
        public Optional<Size> uniformSize() {
            return Optional.of(new Size(8, 8));
        }

        @Override
        public String describe(int index) {
            return "image " + index;
        }

        @Override
        public Image image(int index) {
            byte[] pixels = new byte[64];
            for (int i = 0; i < 64; i++) {
                pixels[i] = (byte) (index * 37 + i);
            }
            return new Image(8, 8, 1, pixels);
        }

        @Override
        public String fingerprint() {
            return "plain" + size;
        }
    }
}
