package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A network whose frozen prefix is computed once learns what it would without, bit for bit; a cache that is wrong is told. */
class FeatureCacheTest {
    @TempDir
    static Path shared;
    private static Path data;

    @TempDir
    private Path folder;

    @BeforeAll
    static void makeData() {
        data = TinyData.idx(shared.resolve("data"), 30, 11, 4);
    }

    private String train(String name, Object... more) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "batch", 8,
                "precision", "fp32", "deterministic", true, "threads", 1, "depth", 0.3));
        options.put("freeze", "head");
        options.put("epochs", 3);
        for (int i = 0; i < more.length; i += 2) {
            options.put((String) more[i], more[i + 1]);
        }
        var log = new ByteArrayOutputStream();
        Firn.train(new TrainRequest(Config.of(options), Optional.of(folder.resolve(name)), false, false, Devices::local,
                new PrintStream(log)));
        return log.toString();
    }

    private Object[] with(Object[] options, Object... more) {
        Object[] all = Arrays.copyOf(options, options.length + more.length);
        System.arraycopy(more, 0, all, options.length, more.length);
        return all;
    }

    private void assertSameBits(String one, String other) {
        Map<String, Tensor> a = Safetensors.read(folder.resolve(one).resolve("weights.safetensors")).tensors();
        Map<String, Tensor> b = Safetensors.read(folder.resolve(other).resolve("weights.safetensors")).tensors();
        assertThat(a.keySet()).isEqualTo(b.keySet());
        a.forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(b.get(name).data()));
        assertThat(losses(one)).isEqualTo(losses(other));
    }

    private List<String> losses(String run) {
        try {
            return Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream().map(l -> l
                    .replaceAll(",\"(images_per_s|seconds)\":[^,}]*", "")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theCacheChangesNoBit() throws IOException {
        for (Object[] options : List.of(
                new Object[] {"freeze", "head", "augment", "none"},
                new Object[] {"freeze", "until:layer3", "augment", "standard", "cache-views", 2},
                new Object[] {"freeze", "until:layer2.0.conv2", "augment", "none", "ema", 0.9, "grad-accumulation", 2},
                new Object[] {"freeze", "until:layer3", "augment", "none", "precision", "bf16", "erase", 0.5},
                new Object[] {"freeze", "head", "model", "efficientnet_b0", "width", 0.2, "augment", "none", "resolution", 32})) {
            String name = String.join("-", Arrays.stream(options).map(String::valueOf).toList()).replace(':', '_');
            assertThat(train(name + "-kept", with(options, "feature-cache", "3MB"))).as(name)
                    .contains("30 images and 11 to validate with", "in memory", "feature cache: ready");
            // The room is too small: the same plans, and nothing is kept.
            assertThat(train(name + "-each", with(options, "feature-cache", "100B")))
                    .contains("--feature-cache 100b allows less; what is frozen is computed in each step instead");
            assertSameBits(name + "-kept", name + "-each");
            var plan = new ObjectMapper().readTree(folder.resolve(name + "-kept/plan.json").toFile());
            assertThat(plan.get("prefix").get("launches").size()).as("the frozen part").isPositive();
        }
    }

    @Test
    void oneWholePlanComesToTheSame() {
        Object[] options = {"freeze", "until:layer3", "augment", "standard"};
        train("split", with(options, "cache-views", 2, "feature-cache", "3MB"));
        train("whole", with(options, "epochs", 2));
        train("two", with(options, "cache-views", 2, "feature-cache", "3MB", "epochs", 2));
        assertSameBits("two", "whole");
        assertThat(losses("split")).isNotEqualTo(losses("two"));
    }

    @Test
    void anInterruptedRunGoesOnWithIt() {
        Object[] options = {"freeze", "until:layer3", "augment", "flip", "cache-views", 2, "feature-cache", "3MB"};
        train("whole", options);
        train("parts", with(options, "max-steps", 5));
        Firn.train(TrainRequest.of(Map.of("max-steps", 9), folder.resolve("parts")).resumed());
        assertSameBits("whole", "parts");
    }

    @Test
    void aRunAtItsEndFillsNone() {
        assertThat(train("ended", "feature-cache", "3MB", "augment", "none", "max-steps", 2)).contains("feature cache: ready");
        var log = new ByteArrayOutputStream();
        Firn.train(new TrainRequest(Config.of(Map.of()), Optional.of(folder.resolve("ended")), true, false, Devices::local,
                new PrintStream(log)));
        assertThat(log.toString()).doesNotContain("feature cache: ready");
    }

    @Test
    void eachPhaseHasItsOwn() {
        Object[] options = {"unfreeze", List.of("1:until:layer3", "2:none"), "augment", "none"};
        String log = train("kept", with(options, "feature-cache", "3MB"));
        assertThat(log.split("feature cache: ready")).hasSize(3);
        train("whole", options);
        assertSameBits("kept", "whole");
    }

    @Test
    void aFileThatIsWrongIsMadeAnew() throws IOException {
        Path cache = folder.resolve("cache");
        Object[] options = {"augment", "none", "feature-cache", "3MB", "feature-cache-folder", cache.toString()};
        assertThat(train("first", options)).contains("in " + cache).doesNotContain("made anew");
        List<Path> files = files(cache);
        assertThat(files).hasSize(2);
        assertThat(train("again", options)).doesNotContain("made anew");
        assertThat(train("other", with(options, "seed", 1))).as("other weights: other files").doesNotContain("made anew");
        assertThat(files(cache)).hasSize(4);
        Path file = files.getFirst();
        byte[] good = Files.readAllBytes(file);
        byte[] flipped = good.clone();
        flipped[good.length / 2] ^= 1;
        byte[] foreign = good.clone();
        foreign[FeatureRows.HEADER - 1] ^= 1;
        for (Map.Entry<String, byte[]> wrong : Map.of("its checksum is another", flipped, "or is no feature cache", foreign,
                "it has 10 bytes, not", Arrays.copyOf(good, 10)).entrySet()) {
            Files.write(file, wrong.getValue());
            String name = "run" + wrong.getKey().hashCode();
            assertThat(train(name, options)).contains(file + " is made anew: ").contains(wrong.getKey());
            assertSameBits("first", name);
            assertThat(Files.readAllBytes(file)).isEqualTo(good);
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (var all = Files.list(folder)) {
            return all.sorted().toList();
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsAnErrorWithNothingLost() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        Path wrong = file.resolve("below");
        Object[] options = {"augment", "none", "feature-cache", "3MB"};
        assertThatThrownBy(() -> train("later", with(options, "feature-cache-folder", wrong.toString())))
                .isInstanceOf(UserError.class).hasMessageStartingWith("feature cache: cannot write " + wrong)
                .hasMessageContaining("give another --feature-cache-folder, and run again with --resume");
        Firn.train(TrainRequest.of(Map.of("feature-cache-folder", folder.resolve("cache").toString()),
                folder.resolve("later")).resumed());
        train("kept", options);
        assertSameBits("later", "kept");
        assertThat(train("each", with(options, "feature-cache", "auto", "feature-cache-folder", wrong.toString())))
                .contains("cannot write " + wrong, "what is frozen is computed in each step instead");
        assertSameBits("each", "kept");
    }

    @Test
    void aFullDiskLeavesWhatIsThere() throws IOException {
        Path file = folder.resolve("x.features");
        var small = new FeatureRows.Shape(1, 2, 4, new byte[32]);
        FeatureRows.inFile(file, small, sink -> {
            sink.put(MemorySegment.ofArray(new byte[8]));
            return new byte[] {1, 1};
        }, line -> { }).close();
        byte[] before = Files.readAllBytes(file);
        // More than any disk has.
        var large = new FeatureRows.Shape(1 << 20, 1 << 30, 1 << 10, new byte[32]);
        assertThatThrownBy(() -> FeatureRows.inFile(file, large, sink -> new byte[0], line -> { }))
                .isInstanceOf(IOException.class).hasMessageContaining("bytes, and the disk has");
        // It fills up meanwhile.
        var other = new FeatureRows.Shape(1, 3, 4, new byte[32]);
        assertThatThrownBy(() -> FeatureRows.inFile(file, other, sink -> {
            sink.put(MemorySegment.ofArray(new byte[8]));
            throw new IOException("No space left on device");
        }, line -> { })).hasMessage("No space left on device");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        assertThat(files(folder)).containsExactly(file);
    }

    @Test
    void itIsLeftOutWhereItCannotBeOrDoesNotPay() {
        assertThat(train("mixed", "feature-cache", "3MB", "mixup", 0.2)).contains("no feature cache: --mixup and --cutmix mix");
        assertThat(train("repeats", "feature-cache", "3MB", "augment-repeats", 2)).contains("no feature cache: --augment-repeats");
        assertThat(train("behind", "feature-cache", "3MB", "freeze", "fc.bias")).contains("nothing is frozen before all");
        assertThat(train("few", "feature-cache", "auto", "epochs", 2, "cache-views", 2)).contains("it would not pay, predicted:");
        assertThat(train("fewer", "feature-cache", "auto", "augment", "flip"))
                .contains("no feature cache: 3 epochs see each of 4 variations");
        assertThat(train("many", "feature-cache", "auto", "augment", "none")).contains("feature cache: ready");
        assertThatThrownBy(() -> train("bad", "feature-cache", "much")).isInstanceOf(UserError.class)
                .hasMessageContaining("--feature-cache much: must be");
        assertThatThrownBy(() -> train("bad", "cache-views", 0)).hasMessageContaining("--cache-views 0");
        assertThatThrownBy(() -> train("bad", "feature-cache-folder", "x")).hasMessageContaining("needs --feature-cache");
    }
}
