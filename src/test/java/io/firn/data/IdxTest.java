package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** IDX sets: what is read, and one clear line for each way in which files can be wrong. */
class IdxTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"", ".gz"})
    void readsBothParts(String suffix) {
        Splits splits = Datasets.open(Samples.idxFolder(folder, 30, 10, 3, suffix).toString());
        Dataset train = splits.train();
        assertThat(train.size()).isEqualTo(30);
        assertThat(train.classes()).containsExactly("0", "1", "2");
        assertThat(train.channels()).isEqualTo(1);
        assertThat(train.uniformSize()).contains(new Size(4, 5));
        assertThat(train.label(29)).isEqualTo(2);
        assertThat(((Idx) train).image(17).pixels()).containsOnly(17);
        assertThat(train.describe(17)).isEqualTo("index 17 of " + folder.resolve("train-images-idx3-ubyte" + suffix));
        assertThat(splits.validation().orElseThrow().size()).isEqualTo(10);
        assertThat(splits.validation().orElseThrow().classes()).isEqualTo(train.classes());
    }

    @Test
    void theFingerprintIsThatOfTheContent() throws Exception {
        Dataset plain = Idx.open(Samples.idxFolder(folder, 6, 0, 3, "")).train();
        Dataset gzipped = Idx.open(Samples.idxFolder(Files.createDirectory(folder.resolve("gz")), 6, 0, 3, ".gz")).train();
        Dataset other = Idx.open(Samples.idxFolder(Files.createDirectory(folder.resolve("other")), 7, 0, 3, "")).train();
        assertThat(gzipped.fingerprint()).isEqualTo(plain.fingerprint()).hasSize(64);
        assertThat(other.fingerprint()).isNotEqualTo(plain.fingerprint());
    }

    @Test
    void opensOneImagesFileWithItsLabels() {
        Samples.idxFolder(folder, 6, 4, 3, ".gz");
        Splits splits = Datasets.open(folder.resolve("t10k-images-idx3-ubyte.gz").toString());
        assertThat(splits.train().size()).isEqualTo(4);
        assertThat(splits.validation()).isEmpty();
        refused(folder.resolve("t10k-labels-idx1-ubyte.gz"), "must have 'images' in its name");
    }

    @Test
    void aTruncatedFileTellsWhatWasExpectedAndFound() throws Exception {
        Samples.idxFolder(folder, 6, 0, 3, "");
        Path images = folder.resolve("train-images-idx3-ubyte");
        byte[] whole = Files.readAllBytes(images);
        Files.write(images, Arrays.copyOf(whole, 100));
        refused(folder, images + " is truncated", "promises 136 bytes", "has 100 at most");
        Files.write(images, Arrays.copyOf(whole, 10));
        refused(folder, "is truncated", "has 10");
        Files.write(images, Arrays.copyOf(whole, whole.length + 1));
        refused(folder, "goes on after the 136 bytes");
        Files.write(images, new byte[0]);
        refused(folder, "is truncated", "has 0");
    }

    @Test
    void aTruncatedGzipIsNoticed() throws Exception {
        Samples.idxFolder(folder, 600, 0, 3, ".gz");
        Path images = folder.resolve("train-images-idx3-ubyte.gz");
        byte[] whole = Files.readAllBytes(images);
        Files.write(images, Arrays.copyOf(whole, whole.length / 2));
        refused(folder, images + " is a truncated gzip file");
        whole[whole.length - 6] ^= 1;
        Files.write(images, whole);
        refused(folder, "damaged gzip file");
    }

    @Test
    void aLyingHeaderAllocatesNothing() {
        Samples.write(folder.resolve("train-labels-idx1-ubyte"), Samples.idx(new byte[3], 3));
        Path images = folder.resolve("train-images-idx3-ubyte");
        Samples.write(images, Samples.idx(new byte[60], Integer.MAX_VALUE, 28, 28));
        refused(folder, "more than 2 GB");
        Samples.write(images, Samples.idx(new byte[60], 2_000_000, 28, 28));
        refused(folder, "is truncated", "promises 1,568,000,016 bytes");
        Samples.write(images, Samples.idx(new byte[60], -3, 4, 5));
        refused(folder, "dimension 0 is 4294967293");
        Samples.write(images, Samples.idx(new byte[60], 3, 20));
        refused(folder, "not an IDX file of images: it begins with 00000802 instead of 00000803");
    }

    @Test
    void countsMustMatchAndLabelsMustBeKnown() {
        Samples.idxFolder(folder, 6, 4, 3, "");
        Samples.write(folder.resolve("t10k-labels-idx1-ubyte"), Samples.idx(new byte[] {0, 1, 2, 9}, 4));
        refused(folder, "label 9 at index 3 of", "t10k-labels-idx1-ubyte", "3 classes 0 to 2");
        Samples.write(folder.resolve("train-labels-idx1-ubyte"), Samples.idx(new byte[5], 5));
        refused(folder, "holds 6 images", "holds 5 labels");
    }

    @Test
    void missingFilesAreNamed() throws Exception {
        Samples.idxFolder(folder, 6, 4, 3, "");
        Files.delete(folder.resolve("train-labels-idx1-ubyte"));
        refused(folder, "has no labels file beside it", "train-labels-idx1-ubyte");
        Files.delete(folder.resolve("train-images-idx3-ubyte"));
        refused(folder, "no train-images-idx3-ubyte");
    }

    private static void refused(Path path, String... parts) {
        assertThatThrownBy(() -> Datasets.open(path.toString())).isInstanceOf(UserError.class).hasMessageContainingAll(parts)
                .extracting(e -> ((UserError) e).kind()).isEqualTo(UserError.Kind.DATA);
    }
}
