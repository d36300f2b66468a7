package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the decoder refuses, and why it says so. */
class DecoderTest {
    @TempDir
    Path folder;

    @Test
    void refusesASizeFromTheHeaderAlone() {
        damaged(Samples.png(60_000, 60_000, new byte[10]), "60000x60000 pixels, more than the 178,956,970");
        damaged(Samples.png(-1, 60_000, new byte[10]), "more than the");
        damaged(Samples.png(0, 0, new byte[10]), "0x0 pixels");
        damaged(Samples.png(5, 0, new byte[10]), "5x0 pixels");
    }

    @Test
    void refusesAFileThatIsTooLargeUnread() throws Exception {
        Path file = folder.resolve("large.png");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(Decoder.MOST_BYTES + 1);
        }
        assertThatExceptionOfType(DamagedImage.class).isThrownBy(() -> Decoder.decode(file))
                .withMessageContaining("large.png").withMessageContaining("more than the 536,870,912");
    }

    @Test
    void refusesWhatIsNoImage() {
        damaged("hello, this is no picture, whatever its name".getBytes(), "not a PNG, JPEG, WebP or BMP file");
        damaged("BMW makes cars, not pictures, so this is a text".getBytes(), "not a PNG, JPEG, WebP or BMP file");
        damaged(new byte[0], "empty file");
        assertThatExceptionOfType(DamagedImage.class).isThrownBy(() -> Decoder.decode(folder.resolve("none.png"))).withMessageContaining("no such file");
        assertThatExceptionOfType(DamagedImage.class).isThrownBy(() -> Decoder.decode(folder)).withMessageContaining("cannot be read");
    }

    @Test
    void everyTruncationIsNoticed() throws Exception {
        for (String name : new String[] {"a.png", "a.jpg", "a.bmp"}) {
            byte[] whole = Files.readAllBytes(Samples.write(folder.resolve(name), 20, 30, 100));
            assertThat(Decoder.decode(whole, name).width()).isEqualTo(30);
            for (int length = 0; length < whole.length; length++) {
                byte[] cut = Arrays.copyOf(whole, length);
                assertThatExceptionOfType(DamagedImage.class).as("%s cut to %d of %d bytes", name, length, whole.length)
                        .isThrownBy(() -> Decoder.decode(cut, name));
            }
        }
    }

    @Test
    void aFlippedBitInAPngIsNoticed() throws Exception {
        byte[] bytes = Files.readAllBytes(Samples.write(folder.resolve("a.png"), 20, 30, 100));
        bytes[bytes.length / 2] ^= 4;
        damaged(bytes, "wrong checksum");
    }

    @Test
    void aPngWithTooFewPixelsIsDamaged() {
        damaged(Samples.png(5, 5, new byte[] {0x78, (byte) 0x9C, 3, 0, 0, 0, 0, 1}), "cannot be decoded");
    }

    @Test
    void theContentDecidesNotTheName() throws Exception {
        byte[] png = Files.readAllBytes(Samples.write(folder.resolve("a.png"), 6, 7, 100));
        Path misnamed = Files.write(folder.resolve("b.JPG"), png);
        assertThat(Decoder.decode(misnamed).pixels()).isEqualTo(Decoder.decode(folder.resolve("a.png")).pixels());
    }

    @Test
    void whatFollowsTheEndDoesNoHarm() throws Exception {
        byte[] whole = Files.readAllBytes(Samples.write(folder.resolve("a.jpg"), 20, 30, 100));
        assertThat(Decoder.decode(Arrays.copyOf(whole, whole.length + 1000), "a.jpg").pixels()).isEqualTo(Decoder.decode(whole, "a.jpg").pixels());
    }

    @Test
    void randomDamageGivesAnImageOrADamagedImage() throws Exception {
        Random random = new Random(1);
        for (String name : new String[] {"a.png", "a.bmp"}) {
            byte[] whole = Files.readAllBytes(Samples.write(folder.resolve(name), 12, 10, 100));
            for (int trial = 0; trial < 300; trial++) {
                byte[] bytes = whole.clone();
                for (int i = 0; i < 3; i++) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
                }
                try {
                    assertThat(Decoder.decode(bytes, name).pixels()).isNotEmpty();
                } catch (DamagedImage e) {
                    assertThat(e.reason()).isNotBlank();
                }
            }
        }
    }

    @Test
    void decodingKeepsNoNativeMemory() throws Exception {
        byte[] bytes = Files.readAllBytes(Samples.write(folder.resolve("a.png"), 1000, 1000, 7));
        Decoder.decode(bytes, "a.png");
        long before = org.bytedeco.javacpp.Pointer.totalBytes();
        for (int i = 0; i < 20; i++) {
            Decoder.decode(bytes, "a.png");
        }
        assertThat(org.bytedeco.javacpp.Pointer.totalBytes()).isLessThanOrEqualTo(before);
    }

    private static void damaged(byte[] bytes, String reason) {
        assertThatExceptionOfType(DamagedImage.class).isThrownBy(() -> Decoder.decode(bytes, "some.jpg"))
                .withMessageStartingWith("some.jpg: ").withMessageContaining(reason);
    }
}
