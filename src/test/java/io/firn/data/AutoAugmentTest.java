package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.data.AutoAugment.Op;
import io.firn.data.AutoAugment.Policy;
import io.firn.data.AutoAugment.Space;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;

/** Augmentation policies against torchvision's: magnitudes, every operation's bytes, and the learnt tables. */
class AutoAugmentTest {
    private static Stream<String[]> lines(String kind) {
        try (var in = new BufferedReader(new InputStreamReader(
                AutoAugmentTest.class.getResourceAsStream("torchvision-policies.txt"), StandardCharsets.UTF_8))) {
            List<String[]> lines = in.lines().filter(l -> l.startsWith(kind + " ")).map(l -> l.split(" ")).toList();
            assertThat(lines).isNotEmpty();
            return lines.stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** torchvision's ShearX is SHEAR_X here. */
    private static Op op(String name) {
        return Op.valueOf(name.replaceAll("(?<=[a-z])(?=[A-Z])", "_").toUpperCase(Locale.ROOT));
    }

    private static int number(String[] line, int field) {
        return Integer.parseInt(line[field]);
    }

    @Test
    void magnitudesAreTorchvisions() {
        lines("magnitude").forEach(l -> {
            for (int bin = 0; bin < number(l, 2); bin++) {
                double m = Space.valueOf(l[1].toUpperCase(Locale.ROOT)).magnitude(op(l[5]), bin, number(l, 2), number(l, 3),
                        number(l, 4));
                // A unit in the last place of a float.
                assertThat(m).as("%s %d", l[5], bin).isCloseTo(Double.parseDouble(l[7 + bin]), within(Math.abs(m) * 1.2e-7));
            }
            assertThat(op(l[5]).signed()).isEqualTo(l[6].equals("1"));
        });
    }

    @Test
    void everyOperationGivesPillowsBytes() {
        List<String> wrong = new ArrayList<>();
        lines("op").forEach(l -> {
            int channels = number(l, 4);
            Image image = l[1].equals("pattern") ? Samples.pattern(number(l, 2), number(l, 3), channels)
                    : smooth(number(l, 2), number(l, 3), channels);
            byte[] before = image.pixels().clone();
            CRC32 crc = new CRC32();
            crc.update(op(l[5]).apply(image, Double.parseDouble(l[6])).pixels());
            assertThat(image.pixels()).isEqualTo(before);
            if (crc.getValue() != Long.parseLong(l[7])) {
                wrong.add(String.join(" ", l));
            }
        });
        assertThat(wrong).isEmpty();
    }

    /** The bytes that the script calls smooth. */
    private static Image smooth(int height, int width, int channels) {
        byte[] pixels = new byte[height * width * channels];
        for (int i = 0; i < pixels.length; i++) {
            int k = i % channels;
            int x = i / channels % width;
            int y = i / channels / width;
            pixels[i] = (byte) (40 + (3 * x * x + 2 * y * y + 5 * k * x) / 7 % 120);
        }
        return new Image(height, width, channels, pixels);
    }

    @Test
    void learntPoliciesAreTorchvisions() {
        for (Policy p : Policy.values()) {
            List<List<AutoAugment.Step>> pairs = lines("policy").filter(l -> l[1].equals(p.name().toLowerCase(Locale.ROOT)))
                    .map(l -> List.of(step(l, 2), step(l, 5))).toList();
            assertThat(p.pairs()).hasSize(25).isEqualTo(pairs);
        }
    }

    private static AutoAugment.Step step(String[] line, int from) {
        return new AutoAugment.Step(op(line[from]), Double.parseDouble(line[from + 1]), number(line, from + 2));
    }

    @Test
    void imagesDifferByPlaceAloneAndStayInTheirFrame() {
        Image image = Samples.pattern(28, 28, 1);
        for (Augment a : List.of(Augment.TRIVIAL, Augment.RAND, Augment.AUTO)) {
            Transform t = new Transform(28, 28, 3, a, 0, 3);
            Set<Integer> seen = new HashSet<>();
            for (int i = 0; i < 60; i++) {
                byte[] out = t.apply(image, 1, i, "");
                assertThat(out).hasSize(28 * 28 * 3).isEqualTo(t.apply(image, 1, i, ""));
                seen.add(Arrays.hashCode(out));
                assertThat(t.apply(image, 1, i, 1, "")).isNotEqualTo(out);
            }
            assertThat(seen).hasSizeGreaterThan(55);
        }
    }

    /** Fourteen operations, each as often: an identity leaves what STANDARD makes. */
    @Test
    void trivialAugmentDrawsEveryOperationAsOften() {
        Image image = Samples.pattern(28, 28, 1);
        int same = 0;
        for (int i = 0; i < 1400; i++) {
            same += Arrays.equals(new Transform(28, 28, 1, Augment.TRIVIAL, 0, 3).apply(image, 0, i, ""),
                    new Transform(28, 28, 1, Augment.STANDARD, 0, 3).apply(image, 0, i, "")) ? 1 : 0;
        }
        // Identity and colour always; shears, shifts, rotation, solarize and posterize at their first magnitudes.
        assertThat(same).isBetween(200, 400);
    }
}
