package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CIFAR's binaries: planes become pixels, fine labels count, damage is told. */
class CifarBinaryTest {
    @TempDir
    Path folder;

    private static byte[] records(int count, int labelBytes, int firstLabel) {
        byte[] bytes = new byte[count * (labelBytes + 3072)];
        for (int i = 0; i < count; i++) {
            int at = i * (labelBytes + 3072);
            bytes[at + labelBytes - 1] = (byte) (firstLabel + i);
            for (int k = 0; k < 3072; k++) {
                bytes[at + labelBytes + k] = (byte) (10 * i + k / 1024);
            }
        }
        return bytes;
    }

    @Test
    void readsCifar10() throws Exception {
        Files.write(folder.resolve("data_batch_1.bin"), records(3, 1, 0));
        Files.write(folder.resolve("data_batch_2.bin"), records(2, 1, 3));
        Files.write(folder.resolve("test_batch.bin"), records(1, 1, 9));
        Files.write(folder.resolve("batches.meta.txt"), List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck", ""));
        Splits splits = Datasets.open(folder.toString());
        Dataset train = splits.train();
        assertThat(train.size()).isEqualTo(5);
        assertThat(IntStream.range(0, 5).map(train::label)).containsExactly(0, 1, 2, 3, 4);
        assertThat(train.image(4).pixels()).startsWith(10, 11, 12, 10, 11, 12).hasSize(3072);
        assertThat(train.describe(4)).isEqualTo("index 1 of " + folder.resolve("data_batch_2.bin"));
        assertThat(train.normalization()).contains(Normalization.CIFAR_10);
        assertThat(train.uniformSize()).contains(new Size(32, 32));
        assertThat(splits.validation().orElseThrow().label(0)).isEqualTo(9);
        assertThat(train.classes()).startsWith("airplane").endsWith("truck");
    }

    @Test
    void readsCifar100ByItsFineLabels() throws Exception {
        Files.write(folder.resolve("train.bin"), records(3, 2, 97));
        Files.write(folder.resolve("fine_label_names.txt"), IntStream.range(0, 100).mapToObj(i -> "class" + i).toList());
        Splits splits = Datasets.open(folder.toString());
        assertThat(splits.train().label(2)).isEqualTo(99);
        assertThat(splits.train().classes()).hasSize(100);
        assertThat(splits.validation()).isEmpty();
    }

    @Test
    void tellsOfDamage() throws Exception {
        Path file = folder.resolve("data_batch_1.bin");
        Files.write(file, new byte[3072]);
        assertThatThrownBy(() -> Datasets.open(folder.toString())).hasMessageContaining(file + " has 3,072 bytes").hasMessageContaining("3,073");
        Files.write(file, records(3, 1, 8));
        assertThatThrownBy(() -> Datasets.open(file.toString())).hasMessageContaining("label 10 at index 2 of " + file);
        Files.delete(file);
        Files.write(folder.resolve("test_batch.bin"), records(3, 1, 0));
        assertThatThrownBy(() -> Datasets.open(folder.toString())).hasMessageContaining("no data_batch_*.bin");
    }
}
