package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TarShardsTest {
    @TempDir
    private Path folder;

    /** Samples {@code first} to {@code first + count}, image i of i pixels, of class {@code i % classes}. */
    private Path shard(String name, int first, int count, int classes) throws IOException {
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        for (int i = first; i < first + count; i++) {
            members.put("a.b/%06d.jpg".formatted(i), jpeg(i));
            members.put("a.b/%06d.cls".formatted(i), Tars.text(i % classes + "\n"));
            members.put("a.b/%06d.json".formatted(i), Tars.text("{}"));
        }
        return Tars.write(folder.resolve(name), members);
    }

    private byte[] jpeg(int size) throws IOException {
        return Files.readAllBytes(Samples.write(folder.resolve("images").resolve("i.jpg"), size + 8, 16, size));
    }

    @Test
    void samplesAreImagesWithTheirClasses() throws Exception {
        shard("s/x-000.tar", 0, 5, 3);
        shard("s/x-001.tar", 5, 4, 3);
        Dataset set = Datasets.open(folder.resolve("s").toString()).train();
        assertThat(set.size()).isEqualTo(9);
        assertThat(set.classes()).containsExactly("0", "1", "2");
        assertThat(set.channels()).isEqualTo(3);
        assertThat(set.shards()).containsExactly(0, 5);
        for (int i = 0; i < 9; i++) {
            assertThat(set.label(i)).isEqualTo(i % 3);
            assertThat(set.image(i).height()).isEqualTo(i + 8);
        }
        assertThat(set.describe(6)).isEqualTo("a.b/000006.jpg in " + folder.resolve("s/x-001.tar"));
        Dataset ranged = Datasets.open(folder.resolve("s/x-{000..001}.tar").toString()).train();
        assertThat(ranged.fingerprint()).isEqualTo(set.fingerprint());
    }

    @Test
    void classesHaveTheNamesThatAreGiven() throws Exception {
        shard("n/train-0.tar", 0, 6, 3);
        shard("n/val-0.tar", 0, 1, 3);
        Files.writeString(folder.resolve("n/classes.txt"), "cat\ndog\neel\n");
        Splits splits = Datasets.open(folder.resolve("n").toString());
        assertThat(splits.train().classes()).containsExactly("cat", "dog", "eel");
        assertThat(splits.validation().orElseThrow().classes()).isEqualTo(splits.train().classes());
        Files.writeString(folder.resolve("n/classes.txt"), "cat\ndog\n");
        assertThatThrownBy(() -> Datasets.open(folder.resolve("n").toString())).hasMessageContaining("names 2 classes").hasMessageContaining("class 2");
        Tars.write(folder.resolve("w.tar"), new LinkedHashMap<>(java.util.Map.of("1.png", Tars.text("x"), "1.cls", Tars.text("dog"))));
        Dataset validation = Datasets.validation(folder.resolve("w.tar").toString(), List.of("cat", "dog"));
        assertThat(validation.label(0)).isEqualTo(1);
    }

    @Test
    void foldersOfPartsAreParts() throws Exception {
        shard("p/train/0.tar", 0, 4, 2);
        shard("p/val/0.tar", 1, 1, 2);
        Splits splits = Datasets.open(folder.resolve("p").toString());
        assertThat(splits.train().size()).isEqualTo(4);
        assertThat(splits.validation().orElseThrow().label(0)).isEqualTo(1);
    }

    @Test
    void samplesWithoutImageOrLabelAreCountedAndLeftOut() throws Exception {
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        members.put("1.cls", Tars.text("0"));
        members.put("2.jpg", jpeg(2));
        members.put("3.jpg", jpeg(3));
        members.put("3.cls", Tars.text("1"));
        members.put("4.jpg", Tars.text("no image"));
        members.put("4.cls", Tars.text("0"));
        List<String> said = new ArrayList<>();
        Dataset set = Datasets.open(Tars.write(folder.resolve("x.tar"), members).toString(), said::add).train();
        assertThat(said).singleElement().asString().contains("2 samples are left out", "1 has no image");
        assertThat(set.size()).isEqualTo(2);
        assertThatThrownBy(() -> set.image(1)).isInstanceOf(DamagedImage.class).hasMessageContaining("4.jpg in ");
        Dataset images = Datasets.unlabelled(List.of(folder.resolve("x.tar"), folder.resolve("images")), said::add);
        assertThat(IntStream.range(0, images.size()).mapToObj(images::describe).map(d -> d.split(" in ")[0]))
                .containsExactly("2.jpg", "3.jpg", "4.jpg", folder.resolve("images/i.jpg").toString());
    }

    @Test
    void aFileThatIsCutOffIsAnErrorThatSaysSo() throws Exception {
        Path tar = shard("c.tar", 0, 3, 2);
        byte[] whole = Files.readAllBytes(tar);
        for (int length : new int[] {0, 100, 511, 512, 700, 1024, 2048, 3000, whole.length - 10_000}) {
            Files.write(tar, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Datasets.open(tar.toString())).as("%d bytes", length).isInstanceOf(UserError.class)
                    .hasMessageContaining(tar.toString());
        }
        // What only claims to be large is found out without being believed.
        Files.write(tar, whole);
        try (var file = new RandomAccessFile(tar.toFile(), "rw")) {
            file.seek(124);
            file.write(Tars.text("77777777777"));
        }
        assertThatThrownBy(() -> Datasets.open(tar.toString())).isInstanceOf(UserError.class).hasMessageContaining(tar.toString());
        assertThatThrownBy(() -> Datasets.open(folder.resolve("none.tar").toString())).hasMessageContaining("no such file");
        assertThatThrownBy(() -> Datasets.open(folder.resolve("c-{5..2}.tar").toString())).hasMessageContaining("{5..2}");
    }

    @Test
    void epochsTakeTheFilesInARandomOrderAndEachImageOnce() {
        int[] shards = IntStream.range(0, 40).map(i -> i * 1000).toArray();
        LoaderOptions options = new LoaderOptions(10, 8, 8, 3, Augment.NONE, 8, true, 7, 1, true);
        int[] order = EpochOrder.of(options, 40_000, shards, 3).order();
        assertThat(Arrays.stream(order).sorted().toArray()).isEqualTo(IntStream.range(0, 40_000).toArray());
        assertThat(EpochOrder.of(options, 40_000, shards, 3).order()).isEqualTo(order);
        assertThat(EpochOrder.of(options, 40_000, shards, 4).order()).isNotEqualTo(order);
        // The first thousand come from the files that fit into the window, and not from one alone.
        long files = Arrays.stream(order).limit(1000).map(i -> i / 1000).distinct().count();
        assertThat(files).isBetween(2L, EpochOrder.WINDOW / 1000 + 2L);
        assertThat(Arrays.stream(order).limit(1000).map(i -> i / 1000).max().getAsInt()).isGreaterThan(10);
    }
}
