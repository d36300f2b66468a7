package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.data.Resampler.Box;
import java.io.IOException;
import java.io.InputStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** JPEGs that are decoded smaller than they are, against what torchvision makes of all their pixels. */
class ReductionTest {
    private static final Size PHOTO = new Size(384, 512);

    @ParameterizedTest
    @CsvSource({"92, 80, 2", "64, 56, 2", "44, 40, 4", "24, 22, 8"})
    void theResultIsTorchvisionsWithinTwo(int resize, int crop, int reduction) throws Exception {
        Transform transform = new Transform(crop, crop, 3, Augment.NONE, resize, 0);
        assertThat(transform.reduction(PHOTO, 0, 0, 0)).isEqualTo(reduction);
        byte[] expected = Decoder.decode(bytes("%d-%d.png".formatted(resize, crop)), "reference").pixels();
        Image whole = Decoder.decode(bytes("photo.jpg"), "photo.jpg");
        Image reduced = Decoder.decode(bytes("photo.jpg"), "photo.jpg", size -> transform.reduction(size, 0, 0, 0));
        assertThat(reduced.isWhole()).isFalse();
        assertThat(reduced.original()).isEqualTo(PHOTO).isEqualTo(whole.original());
        assertThat(reduced.height()).isEqualTo(PHOTO.height() / reduction);
        // OpenCV's libjpeg and Pillow's round colours differently here and there.
        assertThat(difference(transform.apply(whole, 0, 0, ""), expected)).isLessThan(0.1);
        assertThat(difference(transform.apply(reduced, 0, 0, ""), expected)).isLessThan(2);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void aCropOfAReductionIsThatOfTheWhole(long seed) throws Exception {
        Transform transform = new Transform(24, 24, 3, Augment.STANDARD, 28, seed);
        Image whole = Decoder.decode(bytes("photo.jpg"), "photo.jpg");
        Image reduced = Decoder.decode(bytes("photo.jpg"), "photo.jpg", size -> transform.reduction(size, 3, 5, 0));
        assertThat(difference(transform.apply(whole, 3, 5, ""), transform.apply(reduced, 3, 5, ""))).isLessThan(2);
    }

    @Test
    void whatIsTooSmallOrOfAnotherFormatStaysWhole() throws Exception {
        assertThat(new Transform(80, 80, 3, Augment.NONE, 97, 0).reduction(PHOTO, 0, 0, 0)).isEqualTo(1);
        assertThat(new Transform(384, 384, 3, Augment.NONE, 0, 0).reduction(PHOTO, 0, 0, 0)).isEqualTo(1);
        assertThat(Decoder.decode(bytes("92-80.png"), "reference", _ -> 8).isWhole()).isTrue();
    }

    /** Sizes that are no multiple of the divisor are rounded up. */
    @Test
    void oddSizesKeepTheirPlace() {
        // A ramp: a pixel's value says where in the original it is.
        byte[] ramp = new byte[50 * 50];
        for (int i = 0; i < ramp.length; i++) {
            ramp[i] = (byte) (i % 50 * 4 + 2);
        }
        Image reduced = new Image(50, 50, 1, new Size(99, 99), ramp);
        Image cut = Resampler.resize(reduced, new Box(20, 40, 40, 40), new Size(10, 10), new Box(0, 0, 10, 10));
        int[] row = IntStream.range(0, 10).map(x -> cut.pixels()[x] & 0xFF).toArray();
        // Column 40 + 4 (x + 1/2) of 99, in pixels of the reduction, times the slope of four.
        assertThat(row).satisfies(values -> IntStream.range(1, 9).forEach(x -> assertThat((double) values[x])
                .isCloseTo((40 + 4 * (x + 0.5)) * 50 / 99 * 4, org.assertj.core.api.Assertions.within(1.0))));
    }

    private static double difference(byte[] a, byte[] b) {
        assertThat(a).hasSameSizeAs(b);
        return IntStream.range(0, a.length).map(i -> Math.abs((a[i] & 0xFF) - (b[i] & 0xFF))).average().orElseThrow();
    }

    private static byte[] bytes(String name) throws IOException {
        try (InputStream in = ReductionTest.class.getResourceAsStream("torchvision/" + name)) {
            return in.readAllBytes();
        }
    }
}
