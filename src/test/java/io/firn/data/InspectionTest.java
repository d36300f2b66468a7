package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Inspection and verification of a folder with damage, duplicates and a leak. */
class InspectionTest {
    @TempDir
    Path folder;

    @Test
    void countsMeasuresAndFindsWhatIsWrong() throws Exception {
        Samples.write(folder.resolve("train/a/1.png"), 10, 20, 1);
        Samples.write(folder.resolve("train/a/2.png"), 12, 24, 2);
        Samples.write(folder.resolve("train/a/3.bmp"), 12, 24, 2);
        Samples.write(folder.resolve("train/b/1.png"), 30, 40, 3);
        Files.writeString(folder.resolve("train/b/2.jpg"), "no image at all, only text");
        Samples.write(folder.resolve("val/b/9.png"), 10, 20, 1);
        Samples.write(folder.resolve("val/b/1.png"), 10, 20, 9);
        AtomicInteger progress = new AtomicInteger();
        Inspection.Report report = Inspection.inspect(Datasets.open(folder.toString()), 2, done -> progress.accumulateAndGet(done, Math::max));
        assertThat(progress).hasValue(7);
        assertThat(report.classes()).containsExactly("a", "b");
        Inspection.Part train = report.train();
        assertThat(train.images()).isEqualTo(5);
        assertThat(train.perClass()).containsExactly(3, 2);
        assertThat(train.height()).contains(new Inspection.Range(10, 12, 30));
        assertThat(train.width()).contains(new Inspection.Range(20, 24, 40));
        assertThat(train.duplicates()).isEqualTo(1);
        assertThat(train.damaged()).singleElement().satisfies(damaged -> {
            assertThat(damaged.file()).endsWith("train/b/2.jpg");
            assertThat(damaged.reason()).isEqualTo("not a PNG, JPEG, WebP or BMP file");
        });
        assertThat(report.validation().orElseThrow().perClass()).containsExactly(0, 2);
        assertThat(report.leaks()).containsExactly(new Inspection.Leak(folder.resolve("train/a/1.png").toString(), folder.resolve("val/b/9.png").toString(), false));
    }

    @Test
    void verifyNamesWhatIsDamaged() {
        Inspection.Verification found = Inspection.verify(new Splits(new Samples.Fake(20, 3, 4), java.util.Optional.of(new Samples.Fake(5))), 3, _ -> { });
        assertThat(found.images()).isEqualTo(25);
        assertThat(found.sound()).isFalse();
        assertThat(found.damaged()).extracting(DamagedImage::file).containsExactly("image 3", "image 4");
    }
}
