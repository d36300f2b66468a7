package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/** Damages files at random, and holds the reader to an error of one line, soon, with little memory. */
final class Damage {
    private static final byte[] TELLING = {0, 1, (byte) 0xff, (byte) 0x80, 0x7f, '(', ')', '}', '.', 'R', 'q', 'X', 'h'};

    private Damage() {
    }

    /**
     * Reads that many damaged copies.
     *
     * @return how many were refused; the others were damaged where it does not matter, or at a number
     */
    static int read(byte[] whole, Path file, int copies, long seed) throws IOException {
        Random random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < copies; i++) {
            Files.write(file, damage(whole, random));
            try {
                long elements = WeightFile.read(file).weights().tensors().values().stream().mapToLong(t -> t.data().length)
                        .sum();
                assertThat(elements).as("copy %d", i).isLessThanOrEqualTo(Files.size(file));
            } catch (UserError e) {
                refused++;
                assertThat(e.kind()).as("copy %d: %s", i, e).isEqualTo(UserError.Kind.DATA);
                assertThat(e.getMessage()).contains(file.toString()).doesNotContain("\n").hasSizeLessThan(600);
            } catch (RuntimeException | Error e) {
                throw new AssertionError("copy " + i + " of seed " + seed, e);
            }
        }
        return refused;
    }

    private static byte[] damage(byte[] whole, Random random) {
        byte[] bytes = whole.clone();
        switch (random.nextInt(5)) {
            case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            case 1 -> {
                // A part is gone, or there twice.
                int at = random.nextInt(bytes.length);
                int n = Math.min(1 + random.nextInt(16), bytes.length - at);
                int to = random.nextBoolean() ? at + n : at;
                byte[] changed = new byte[bytes.length + (to == at ? n : -n)];
                System.arraycopy(bytes, 0, changed, 0, at);
                System.arraycopy(bytes, to, changed, to == at ? at + n : at, bytes.length - to);
                bytes = changed;
            }
            default -> {
                for (int n = 1 + random.nextInt(4); n > 0; n--) {
                    int at = random.nextInt(bytes.length);
                    bytes[at] = switch (random.nextInt(3)) {
                        case 0 -> (byte) random.nextInt(256);
                        case 1 -> TELLING[random.nextInt(TELLING.length)];
                        default -> (byte) (bytes[at] ^ 1 << random.nextInt(8));
                    };
                }
            }
        }
        return bytes;
    }
}
