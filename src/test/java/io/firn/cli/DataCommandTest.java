package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code firn data}. */
class DataCommandTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void twoClasses() throws IOException {
        image("train/cat/1.png", 8, 0xFF0000);
        image("train/cat/2.png", 8, 0xFF0000);
        image("train/dog/1.png", 12, 20);
        image("val/cat/1.png", 8, 0xFF0000);
        image("val/dog/1.png", 9, 30);
    }

    private void image(String file, int side, int shade) throws IOException {
        BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, shade);
        Files.createDirectories(folder.resolve(file).getParent());
        ImageIO.write(image, "png", folder.resolve(file).toFile());
    }

    private CommandLineRun data(String command, String... more) {
        String[] args = {"data", command, folder.resolve("train").toString(), "--val", folder.resolve("val").toString()};
        return CommandLineRun.of(Stream.of(args, more).flatMap(Arrays::stream)
                .toArray(String[]::new));
    }

    @Test
    void theSheetHasARowForEachClassAndBlackForDamage() throws IOException {
        Files.write(folder.resolve("train/dog/2.png"), new byte[10]);
        var run = data("inspect", "--sheet", folder.resolve("sheet.png").toString());
        assertThat(run.code()).as(run.err()).isZero();
        BufferedImage sheet = ImageIO.read(folder.resolve("sheet.png").toFile());
        assertThat(sheet.getHeight()).isBetween(2 * 96, 3 * 96);
        assertThat(folder.toFile().list()).containsOnly("train", "val", "sheet.png");
        // The first image's corner was red; the second dog, in the second row and column, cannot be read.
        int red = sheet.getRGB(5, 4 + 18);
        assertThat(red >> 16 & 0xFF).isGreaterThan(150);
        assertThat(red & 0xFF).isLessThan(60);
        assertThat(sheet.getRGB(4 + 100 + 48, 4 + 118 + 18 + 48) & 0xFFFFFF).isZero();
        assertThat(sheet.getRGB(990, 4 + 118 + 18 + 48) & 0xFFFFFF).isEqualTo(0xFFFFFF);
    }

    @Test
    void inspectCountsAndFindsLeaks() {
        var run = data("inspect");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).containsPattern("\ntrain +3 +8 to 12 \\(median 8\\) ").containsPattern("\ncat +2 +1\n")
                .contains("in validation and in training too:\n");
        var json = data("inspect", "--json").json();
        assertThat(fields(json)).containsExactly("name", "classes", "channels", "train", "validation", "leaks",
                "fingerprint");
        assertThat(fields(json.get("train"))).containsExactly("name", "images", "per_class", "height", "width",
                "gray_images", "damaged", "duplicates");
        assertThat(json.get("train").get("duplicates").asInt()).isEqualTo(1);
        assertThat(json.get("train").get("height").toString()).isEqualTo("{\"min\":8,\"median\":8,\"max\":12}");
        assertThat(json.get("leaks")).hasSize(1);
        var alone = CommandLineRun.of("data", "inspect", folder.resolve("train").toString(), "--json").json();
        assertThat(alone.get("validation").isNull()).isTrue();
    }

    @Test
    void verifyFailsWhereAnImageIsDamaged() throws IOException {
        assertThat(data("verify").code()).isZero();
        assertThat(data("verify").out()).contains(": all 5 images decode\n");
        Files.writeString(folder.resolve("train/dog/2.jpg"), "no picture");
        var run = data("verify", "--json");
        assertThat(run.code()).isEqualTo(3);
        assertThat(run.err()).contains("1 of 6 images are damaged").hasLineCount(1);
        assertThat(fields(run.json())).containsExactly("name", "images", "damaged", "fingerprint");
        assertThat(fields(run.json().get("damaged").get(0))).containsExactly("file", "reason");
        assertThat(data("inspect").out()).contains("damaged (training skips them):\n");
    }

    @Test
    void whatIsNotThereIsSaid() {
        var missing = CommandLineRun.of("data", "inspect", folder.resolve("nowhere").toString());
        assertThat(missing.code()).isEqualTo(3);
        assertThat(missing.err()).contains("no data set at").hasLineCount(1);
        var unknown = CommandLineRun.of("data", "fetch", "mnist");
        assertThat(unknown.code()).isEqualTo(2);
        assertThat(unknown.err()).contains("fashion-mnist");
        assertThat(CommandLineRun.of("data", "inspekt").err()).contains("did you mean inspect?");
        assertThat(CommandLineRun.of("data").out()).contains("inspect", "verify", "fetch");
    }
}
