package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.data.Resampler.Box;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Resizing, gray conversion and decoding against what Pillow made of the same input ({@code pillow.txt} has the script). */
class PillowTest {
    @TestFactory
    Stream<DynamicTest> resizesToTheSameBytes() {
        return cases("resize").map(c -> DynamicTest.dynamicTest(c.title(6), () -> {
            Size size = new Size(c.number(4), c.number(5));
            Image image = Samples.pattern(c.number(1), c.number(2), c.number(3));
            Image resized = Resampler.resize(image, Box.of(image), size, new Box(0, 0, size.height(), size.width()));
            assertThat(resized.pixels()).isEqualTo(c.hex(6));
        }));
    }

    @TestFactory
    Stream<DynamicTest> cropsOfALargerImageResizeAsIfCutOutFirst() {
        return cases("resize").map(c -> DynamicTest.dynamicTest(c.title(6), () -> {
            int height = c.number(1);
            int width = c.number(2);
            int channels = c.number(3);
            Image inner = Samples.pattern(height, width, channels);
            byte[] pixels = new byte[(height + 5) * (width + 3) * channels];
            Arrays.fill(pixels, (byte) 0xEE);
            for (int y = 0; y < height; y++) {
                System.arraycopy(inner.pixels(), y * width * channels, pixels, ((y + 2) * (width + 3) + 1) * channels, width * channels);
            }
            Image outer = new Image(height + 5, width + 3, channels, pixels);
            Size size = new Size(c.number(4), c.number(5));
            Image resized = Resampler.resize(outer, new Box(2, 1, height, width), size, new Box(0, 0, size.height(), size.width()));
            assertThat(resized.pixels()).isEqualTo(c.hex(6));
        }));
    }

    @TestFactory
    Stream<DynamicTest> evaluationPresetsGiveTheSameBytes() {
        return cases("preset").map(c -> DynamicTest.dynamicTest(c.title(6), () -> {
            Transform transform = new Transform(c.number(5), c.number(5), c.number(3), Augment.NONE, c.number(4), 0);
            assertThat(transform.apply(Samples.pattern(c.number(1), c.number(2), c.number(3)), 0, 0, "")).isEqualTo(c.hex(6));
        }));
    }

    @TestFactory
    Stream<DynamicTest> colourBecomesTheSameGray() {
        return cases("gray").map(c -> DynamicTest.dynamicTest(c.title(3), () ->
                assertThat(Transform.toGray(Samples.pattern(c.number(1), c.number(2), 3)).pixels()).isEqualTo(c.hex(3))));
    }

    @TestFactory
    Stream<DynamicTest> filesDecodeToTheSamePixels() {
        return cases("file").map(c -> DynamicTest.dynamicTest(c.title(6), () -> {
            Image image = Decoder.decode(Base64.getDecoder().decode(c.fields.get(6)), c.fields.get(1));
            assertThat(List.of(image.height(), image.width())).containsExactly(c.number(3), c.number(4));
            // Only BMP's gray palettes are read as colour.
            assertThat(image.channels()).isEqualTo(c.number(5));
            byte[] expected = c.hex(7);
            for (int i = 0; i < expected.length; i++) {
                assertThat(image.pixels()[i] & 0xFF).as("byte %d", i).isCloseTo(expected[i] & 0xFF, within(c.number(2)));
            }
        }));
    }

    private record Case(List<String> fields) {
        String title(int fieldCount) {
            return String.join(" ", fields.subList(0, fieldCount));
        }

        int number(int field) {
            return Integer.parseInt(fields.get(field));
        }

        byte[] hex(int field) {
            return HexFormat.of().parseHex(fields.get(field));
        }
    }

    private static Stream<Case> cases(String kind) {
        try (var in = new BufferedReader(new InputStreamReader(PillowTest.class.getResourceAsStream("pillow.txt"), StandardCharsets.UTF_8))) {
            List<Case> cases = in.lines().filter(line -> line.startsWith(kind + " ")).map(line -> new Case(List.of(line.split(" ")))).toList();
            assertThat(cases).isNotEmpty();
            return cases.stream();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
