package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.data.Resampler.Box;
import io.firn.error.UserError;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Augmentation: what it may do to an image, and that it depends on its place alone. */
class TransformTest {
    @Test
    void theSamePlaceGivesTheSameBytesAndAnotherOthers() {
        Image image = Samples.pattern(100, 120, 3);
        Transform transform = new Transform(32, 32, 3, Augment.STANDARD, 40, 5);
        byte[] once = transform.apply(image, 3, 7, "");
        assertThat(transform.apply(image, 3, 7, "")).isEqualTo(once);
        assertThat(transform.apply(image, 4, 7, "")).isNotEqualTo(once);
        assertThat(transform.apply(image, 3, 8, "")).isNotEqualTo(once);
        assertThat(new Transform(32, 32, 3, Augment.STANDARD, 40, 6).apply(image, 3, 7, "")).isNotEqualTo(once);
    }

    @Test
    void flipMirrorsHalfOfTheImages() {
        Image image = Samples.pattern(8, 9, 3);
        Transform transform = new Transform(8, 9, 3, Augment.FLIP, 0, 1);
        byte[] mirrored = Transform.flip(image).pixels();
        assertThat(mirrored).isNotEqualTo(image.pixels());
        assertThat(Transform.flip(Transform.flip(image)).pixels()).isEqualTo(image.pixels());
        int flips = 0;
        for (int i = 0; i < 1000; i++) {
            byte[] out = transform.apply(image, 0, i, "");
            assertThat(out).isIn(mirrored, image.pixels());
            flips += java.util.Arrays.equals(out, mirrored) ? 1 : 0;
        }
        assertThat(flips).isBetween(440, 560);
    }

    @Test
    void smallImagesAreShiftedIntoZeros() {
        byte[] pixels = new byte[32 * 32];
        java.util.Arrays.fill(pixels, (byte) 9);
        Image image = new Image(32, 32, 1, pixels);
        Transform transform = new Transform(32, 32, 1, Augment.STANDARD, 32, 1);
        Set<Integer> rows = new HashSet<>();
        Set<Integer> columns = new HashSet<>();
        for (int i = 0; i < 400; i++) {
            byte[] out = transform.apply(image, 0, i, "");
            int column = 0;
            int row = 0;
            for (int k = 0; k < 32; k++) {
                row += out[32 * 16 + k] == 9 ? 1 : 0;
                column += out[32 * k + 16] == 9 ? 1 : 0;
            }
            rows.add(row);
            columns.add(column);
        }
        assertThat(rows).containsExactlyInAnyOrder(28, 29, 30, 31, 32);
        assertThat(columns).containsExactlyInAnyOrder(28, 29, 30, 31, 32);
    }

    @Test
    void randomCropsHaveTheAreasAndAspectsOfTorchvision() {
        double smallest = 1;
        double largest = 0;
        for (int i = 0; i < 2000; i++) {
            Box box = Transform.cropBox(300, 400, new Draws(Draws.Purpose.AUGMENT, 1, 0, i));
            assertThat(box.top()).isBetween(0, 300 - box.height());
            assertThat(box.left()).isBetween(0, 400 - box.width());
            assertThat((double) box.width() / box.height()).isBetween(0.74, 1.35);
            double area = box.width() * box.height() / 120_000.0;
            smallest = Math.min(smallest, area);
            largest = Math.max(largest, area);
        }
        assertThat(smallest).isBetween(0.079, 0.1);
        assertThat(largest).isBetween(0.9, 1.0);
    }

    @Test
    void aStripFallsBackToItsCentre() {
        assertThat(Transform.cropBox(2, 1000, new Draws(Draws.Purpose.AUGMENT, 1, 0, 0))).isEqualTo(new Box(0, 498, 2, 3));
        assertThat(Transform.cropBox(1000, 2, new Draws(Draws.Purpose.AUGMENT, 1, 0, 0))).isEqualTo(new Box(498, 0, 3, 2));
    }

    @Test
    void grayIsRepeatedAndColourBecomesGray() {
        Image gray = new Image(1, 2, 1, new byte[] {5, (byte) 200});
        assertThat(new Transform(1, 2, 3, Augment.NONE, 0, 0).apply(gray, 0, 0, "")).containsExactly(5, 5, 5, 200, 200, 200);
        Image red = new Image(1, 1, 3, new byte[] {(byte) 255, 0, 0});
        assertThat(new Transform(1, 1, 1, Augment.NONE, 0, 0).apply(red, 0, 0, "")).containsExactly(76);
    }

    @Test
    void withoutResizingEveryImageMustFit() {
        Transform transform = new Transform(32, 32, 3, Augment.NONE, 0, 0);
        assertThatThrownBy(() -> transform.apply(Samples.pattern(30, 32, 3), 0, 0, "a/b.png")).isInstanceOf(UserError.class)
                .hasMessageContaining("a/b.png is 32x30").hasMessageContaining("--resize none needs every image to be 32x32");
    }

    @Test
    void aResizeBelowTheResolutionIsRefused() {
        assertThatThrownBy(() -> new Transform(224, 224, 3, Augment.NONE, 200, 0)).isInstanceOf(UserError.class).hasMessageContaining("at least 224");
    }

    @Test
    void normalizationConvertsBetweenGrayAndColour() {
        assertThat(Normalization.IMAGENET.forChannels(1).mean()[0]).isEqualTo((0.485 + 0.456 + 0.406) / 3);
        assertThat(Normalization.FASHION_MNIST.forChannels(3)).isEqualTo(new Normalization(new double[] {0.286, 0.286, 0.286}, new double[] {0.353, 0.353, 0.353}));
        assertThatThrownBy(() -> new Normalization(new double[] {0}, new double[] {0})).hasMessageContaining("std must be positive");
    }
}
