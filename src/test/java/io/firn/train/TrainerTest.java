package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.Firn;
import io.firn.data.Tars;
import io.firn.error.UserError;
import io.firn.weights.Safetensors;
import io.firn.weights.Weights;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The loop on a tiny data set: what it learns, what it writes, and that it goes on exactly. */
class TrainerTest {
    @TempDir
    static Path shared;
    private static Path data;

    @TempDir
    private Path folder;

    @BeforeAll
    static void makeData() {
        data = TinyData.idx(shared.resolve("data"), 50, 22, 4);
    }

    static Map<String, Object> options(Object... keysAndValues) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "epochs", 3,
                "batch", 8, "precision", "fp32", "deterministic", true, "threads", 2, "depth", 0.3, "augment", "none"));
        for (int i = 0; i < keysAndValues.length; i += 2) {
            options.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return options;
    }

    private static Weights weights(Path run) {
        return Safetensors.read(run.resolve("weights.safetensors"));
    }

    private static List<JsonNode> metrics(Path run) throws IOException {
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream().map(line -> {
            try {
                return new ObjectMapper().readTree(line);
            } catch (IOException e) {
                throw new IllegalStateException(line, e);
            }
        }).toList();
    }

    private static void assertSameBits(Path run, Path other) {
        Weights a = weights(run);
        Weights b = weights(other);
        assertThat(a.tensors().keySet()).isEqualTo(b.tensors().keySet());
        a.tensors().forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(b.tensors().get(name).data()));
    }

    @Test
    void itLearnsAndFillsTheRunFolder() throws IOException {
        Path run = folder.resolve("run");
        RunSummary s = Firn.train(options("epochs", 4), run);
        assertThat(s.steps()).isEqualTo(24);
        assertThat(s.epochs()).isEqualTo(4);
        assertThat(s.bestTop1()).isGreaterThan(0.8);
        try (var files = Files.list(run)) {
            assertThat(files.map(p -> p.getFileName().toString().replaceFirst("(tfevents).*", "$1")))
                    .containsExactlyInAnyOrder(".lock", "config.toml", "metrics.jsonl", "plan.json", "weights.safetensors",
                            "best.safetensors", "checkpoint", "events.out.tfevents", "environment.jsonl",
                            "predictions.jsonl", "report.html", "resources.jsonl");
        }
        JsonNode resources = new ObjectMapper().readTree(Files.readAllLines(run.resolve("resources.jsonl")).getFirst());
        assertThat(resources.properties().stream().map(Map.Entry::getKey)).containsExactly("step", "seconds", "images_per_s",
                "input_wait", "resident_bytes");
        assertThat(resources.get("input_wait").asDouble()).isBetween(0.0, 1.0);
        assertThat(resources.get("resident_bytes").asLong()).isGreaterThan(50_000_000);
        List<JsonNode> lines = metrics(run);
        assertThat(lines.stream().filter(l -> l.get("kind").asText().equals("step"))).hasSize(24)
                .allSatisfy(l -> assertThat(l.properties().stream().map(Map.Entry::getKey)).containsExactly("kind", "step",
                        "epoch", "loss", "lr", "images_per_s"));
        assertThat(lines.stream().filter(l -> l.get("kind").asText().equals("epoch"))).hasSize(4)
                .allSatisfy(l -> assertThat(l.properties().stream().map(Map.Entry::getKey)).containsExactly("kind", "epoch",
                        "train_loss", "val_loss", "val_top1", "val_top5", "seconds"));
        assertThat(lines.get(5).get("step").asInt()).isEqualTo(6);
        assertThat(lines.get(6).get("train_loss").asDouble()).isCloseTo(lines.subList(0, 6).stream()
                .mapToDouble(l -> l.get("loss").asDouble()).average().orElseThrow(), within(1e-6));
        JsonNode plan = new ObjectMapper().readTree(run.resolve("plan.json").toFile());
        assertThat(plan.get("batch").asInt()).isEqualTo(8);
        assertThat(plan.has("tuning")).isTrue();
        assertThat(weights(run).tensors().get("bn1.num_batches_tracked").data()).containsExactly(24);
    }

    @Test
    void theFileAloneIsEnoughToEvaluateWith() throws IOException {
        Path run = folder.resolve("run");
        RunSummary s = Firn.train(options("epochs", 2), run);
        try (Classifier net = Firn.load(run.resolve("weights.safetensors"), Map.of("batch", 8))) {
            assertThat(net.card().classes()).containsExactly("0", "1", "2", "3");
            assertThat(net.card().preprocessing()).isEqualTo(new Preprocessing(0, 12, 1, List.of(0.449), List.of(0.226)));
            Evaluation e = net.evaluate(data.toString());
            assertThat(e.images()).isEqualTo(22);
            assertThat(e.loss()).isCloseTo(s.valLoss(), within(1e-5));
            assertThat(e.top1()).isEqualTo(s.valTop1());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 6, 8})
    void anInterruptedRunEndsWithTheSameBits(int stop) throws IOException {
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        Firn.train(options(), whole);
        Firn.train(options("max-steps", stop), parts);
        Firn.train(new TrainRequest(Config.of(Map.of("max-steps", 100)), Optional.of(parts), true, false, Devices::local,
                quiet()));
        assertSameBits(whole, parts);
        assertThat(metrics(parts).stream().map(TrainerTest::withoutTimes)).isEqualTo(metrics(whole).stream()
                .map(TrainerTest::withoutTimes).toList());
    }

    @Test
    void soDoesOneWithDropoutAndTwoSlots() {
        Map<String, Object> o = options("model", "efficientnet_b0", "width", 0.3, "depth", 0.3, "batch", 4, "resolution", 17,
                "dropout", 0.5, "drop-path", 0.3, "epochs", 1, "resize", "17", "augment", "standard");
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        o.put("max-steps", 6);
        Firn.train(o, whole);
        o.put("max-steps", 3);
        Firn.train(o, parts);
        Firn.train(new TrainRequest(Config.of(Map.of("max-steps", 6)), Optional.of(parts), true, false, Devices::local,
                quiet()));
        assertSameBits(whole, parts);
    }

    /** All that varies batches at random is a function of seed, epoch and place. */
    @Test
    void soDoesOneWithMixedErasedAndRepeatedImages() throws IOException {
        Map<String, Object> o = options("augment", "rand", "mixup", 0.4, "cutmix", 1.0, "erase", 0.5, "augment-repeats", 2,
                "label-smoothing", 0.1, "epochs", 2);
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        Firn.train(o, whole);
        o.put("max-steps", 8);
        Firn.train(o, parts);
        Firn.train(new TrainRequest(Config.of(Map.of("max-steps", 100)), Optional.of(parts), true, false, Devices::local,
                quiet()));
        assertSameBits(whole, parts);
        o.put("mixup", 0.0);
        o.put("cutmix", 0.0);
        Path unmixed = folder.resolve("unmixed");
        Firn.train(o, unmixed);
        assertThat(metrics(unmixed).getFirst().get("loss")).isNotEqualTo(metrics(whole).getFirst().get("loss"));
    }

    /** Two batches a step, clipped, averaged, with images that grow, rates by stage and TensorFlow's optimizer. */
    @Test
    void soDoesOneWithAllThatFollowsTheGradients() throws IOException {
        Map<String, Object> o = options("grad-accumulation", 2, "batch", 4, "ema", 0.8, "clip-norm", 0.7, "optimizer", "rmsproptf",
                "lr", 0.01, "lr-decay-by-stage", 0.8, "no-decay-norms", true, "mixup", 0.3, "progressive", "8:12:2",
                "epochs", 2, "augment", "standard");
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        Firn.train(o, whole);
        for (int stop : new int[] {3, 8}) {
            o.put("max-steps", stop);
            Firn.train(new TrainRequest(Config.of(stop == 3 ? o : Map.of("max-steps", stop)), Optional.of(parts), stop > 3, false,
                    Devices::local, quiet()));
        }
        Firn.train(new TrainRequest(Config.of(Map.of("max-steps", 100)), Optional.of(parts), true, false, Devices::local,
                quiet()));
        assertSameBits(whole, parts);
        assertThat(metrics(parts).stream().map(TrainerTest::withoutTimes)).isEqualTo(metrics(whole).stream()
                .map(TrainerTest::withoutTimes).toList());
        List<JsonNode> steps = metrics(whole).stream().filter(l -> l.get("kind").asText().equals("step")).toList();
        assertThat(steps).hasSize(12).allSatisfy(l -> assertThat(l.get("gradient_norm").asDouble()).isPositive());
        assertThat(weights(whole).tensors().get("bn1.num_batches_tracked").data()).containsExactly(24);
        // What is saved are the averages, not the weights of the last step.
        var states = Safetensors.read(whole.resolve("checkpoint/states.safetensors")).tensors();
        assertThat(weights(whole).tensors().get("fc.weight").data()).isEqualTo(states.get("fc.weight.ema").data())
                .isNotEqualTo(states.get("fc.weight").data());
        assertThat(states.keySet()).noneMatch(n -> n.endsWith(".gradient"));
        try (Classifier net = Firn.load(whole.resolve("weights.safetensors"), Map.of("batch", 8))) {
            JsonNode last = metrics(whole).getLast();
            assertThat(net.evaluate(data.toString()).loss()).isCloseTo(last.get("val_loss").asDouble(), within(1e-5));
        }
    }

    /** Batch norms aside, two batches of four are one of eight. */
    @Test
    void accumulatedGradientsAreThoseOfTheWholeBatch() throws IOException {
        Path first = folder.resolve("first");
        Firn.train(options("max-steps", 1), first);
        Map<String, Object> o = options("init", first.resolve("weights.safetensors").toString(), "freeze", "head", "max-steps", 3,
                "lr", 0.5, "ema", 0.0);
        Path whole = folder.resolve("whole");
        Firn.train(o, whole);
        o.put("batch", 4);
        o.put("grad-accumulation", 2);
        Path parts = folder.resolve("parts");
        Firn.train(o, parts);
        float[] a = weights(whole).tensors().get("fc.weight").data();
        float[] b = weights(parts).tensors().get("fc.weight").data();
        for (int i = 0; i < a.length; i++) {
            assertThat(b[i]).isCloseTo(a[i], within(1e-5f));
        }
        assertThat(weights(first).tensors().get("fc.weight").data()).isNotEqualTo(a);
    }

    @Test
    void aRateIsProposedAndNothingIsTrained() throws IOException {
        Path run = folder.resolve("rate");
        FoundRate found = Firn.findRate(new TrainRequest(Config.of(options("grad-accumulation", 2, "batch", 4, "ema", 0.9)),
                Optional.of(run), false, false, Devices::local, quiet()));
        assertThat(found.rates().getFirst()).isEqualTo(1e-6);
        assertThat(found.rates()).isSorted().hasSizeGreaterThan(30).hasSameSizeAs(found.losses());
        assertThat(found.proposed()).isBetween(1e-6, found.minimum());
        try (var files = Files.list(run)) {
            assertThat(files.map(p -> p.getFileName().toString())).containsExactlyInAnyOrder("lr.json", "lr.html");
        }
        assertThat(new ObjectMapper().readTree(run.resolve("lr.json").toFile()).get("proposed").asDouble())
                .isEqualTo(found.proposed());
        assertThat(Files.readString(run.resolve("lr.html"))).contains("Learning rate of resnet20").contains("chart-0");
    }

    /** Falls the fastest in the middle of its way down. */
    @Test
    void theSteepestFallIsProposed() {
        List<Double> rates = new ArrayList<>();
        List<Double> losses = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            rates.add(Math.pow(10, -6 + i / 10.0));
            losses.add(i < 40 ? 2.3 / (1 + Math.exp((i - 25) / 3.0)) : 0.5 + (i - 40) * 0.5);
        }
        FoundRate found = RateFinder.found(rates, losses, losses);
        assertThat(found.proposed()).isEqualTo(rates.get(25));
        assertThat(found.minimum()).isEqualTo(rates.get(39));
    }

    @Test
    void theLargestBatchThatFitsIsTaken() {
        var log = new ByteArrayOutputStream();
        Path run = folder.resolve("run");
        Firn.train(new TrainRequest(Config.of(options("batch", "auto", "max-steps", 1)), Optional.of(run), false, false,
                Devices::local, new PrintStream(log)));
        // A tenth of the images.
        assertThat(log.toString()).contains("--batch auto: 5");
        assertThat(TrainOptions.read(run.resolve("config.toml")).text("batch")).contains("5");
    }

    @Test
    void aRecipeIsResolvedAndWhatIsGivenWins() {
        Path run = folder.resolve("run");
        Firn.train(options("recipe", "cifar-resnet", "epochs", 4, "max-steps", 1, "momentum", 0.8), run);
        Config c = TrainOptions.read(run.resolve("config.toml"));
        assertThat(c.text("recipe")).contains("cifar-resnet");
        Config expected = Config.of(Map.of("weight-decay", 1e-4, "milestones", List.of(2.0, 3.0), "momentum", 0.8));
        assertThat(expected.keys()).allMatch(key -> c.agrees(key, expected));
        assertThat(c.text("batch")).contains("8");
    }

    @Test
    void tooFewImagesForAStepAreToldOf() {
        assertThatThrownBy(() -> Firn.train(options("grad-accumulation", 7), folder.resolve("run"))).isInstanceOf(UserError.class)
                .hasMessageContaining("--grad-accumulation 7 with --batch 8 takes 56 images a step, and there are 50 to train on");
    }

    private static String withoutTimes(JsonNode line) {
        var copy = line.deepCopy();
        ((com.fasterxml.jackson.databind.node.ObjectNode) copy).remove(List.of("seconds", "images_per_s"));
        return copy.toString();
    }

    private static PrintStream quiet() {
        return new PrintStream(PrintStream.nullOutputStream());
    }

    @Test
    void resumingAFinishedRunDoesNothing() throws IOException {
        Path run = folder.resolve("run");
        Firn.train(options("epochs", 1), run);
        byte[] before = Files.readAllBytes(run.resolve("weights.safetensors"));
        List<JsonNode> lines = metrics(run);
        assertThat(Firn.resume(run).steps()).isEqualTo(6);
        assertThat(Files.readAllBytes(run.resolve("weights.safetensors"))).isEqualTo(before);
        assertThat(metrics(run)).isEqualTo(lines);
    }

    @Test
    void theWrittenConfigurationRepeatsTheRun() {
        Path first = folder.resolve("first");
        Path again = folder.resolve("again");
        Firn.train(options("max-steps", 4, "optimizer", "adamw", "augment", "standard"), first);
        Firn.train(new TrainRequest(TrainOptions.read(first.resolve("config.toml")), Optional.of(again), false, false,
                Devices::local, quiet()));
        assertSameBits(first, again);
    }

    @Test
    void aChangedDataSetOrOptionIsRefused() {
        Path changing = TinyData.idx(folder.resolve("changing"), 24, 0, 4);
        Path run = folder.resolve("run");
        Firn.train(options("data", changing.toString(), "max-steps", 1), run);
        assertThatThrownBy(() -> Run.train(new TrainRequest(Config.of(Map.of("lr", 0.5)), Optional.of(run), true, false,
                Devices::local, quiet()))).isInstanceOf(UserError.class).hasMessageContaining("--lr 0.5");
        TinyData.idx(changing, 32, 0, 4);
        assertThatThrownBy(() -> Firn.resume(run)).isInstanceOf(UserError.class).hasMessageContaining("has changed");
    }

    @Test
    void aChangedValidationSetIsRefused() {
        Path val = TinyData.idx(folder.resolve("val"), 24, 0, 4);
        Path run = folder.resolve("run");
        Firn.train(options("val", val.toString(), "max-steps", 1), run);
        TinyData.idx(val, 32, 0, 4);
        assertThatThrownBy(() -> Firn.resume(run)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA)).hasMessageContaining("--val " + val + " has changed");
        Path own = TinyData.idx(folder.resolve("own"), 24, 8, 4);
        Path second = folder.resolve("second");
        Firn.train(options("data", own.toString(), "max-steps", 1), second);
        TinyData.idx(own, 24, 12, 4);
        assertThatThrownBy(() -> Firn.resume(second)).isInstanceOf(UserError.class)
                .hasMessageContaining("the validation set of --data " + own + " has changed");
    }

    @Test
    void aDamagedCheckpointIsRefused() throws IOException {
        Path run = folder.resolve("run");
        Firn.train(options("max-steps", 1), run);
        Path states = run.resolve("checkpoint/states.safetensors");
        byte[] bytes = Files.readAllBytes(states);
        bytes[bytes.length - 9] ^= 1;
        Files.write(states, bytes);
        assertThatThrownBy(() -> Firn.resume(run)).isInstanceOf(UserError.class).hasMessageContaining("checksum");
    }

    @Test
    void givenWeightsAreTakenAndAnotherHeadIsFresh() {
        Path first = folder.resolve("first");
        Firn.train(options("max-steps", 2), first);
        Path two = TinyData.idx(folder.resolve("two"), 16, 0, 2);
        var log = new ByteArrayOutputStream();
        Path second = folder.resolve("second");
        // A rate of 0 leaves parameters as they are.
        Firn.train(new TrainRequest(Config.of(options("data", two.toString(), "init", first.toString(), "max-steps", 1, "lr",
                0.0)), Optional.of(second), false, false, Devices::local, new PrintStream(log)));
        assertThat(log.toString()).contains("a fresh classifier of 2 classes replaces the file's, which has 4");
        Weights a = Safetensors.read(first.resolve("best.safetensors"));
        Weights b = weights(second);
        assertThat(b.tensors().get("layer2.0.conv1.weight").data()).isEqualTo(a.tensors().get("layer2.0.conv1.weight").data());
        assertThat(b.tensors().get("fc.weight").shape().dims()).containsExactly(2, 64);
        assertThatThrownBy(() -> Firn.train(options("model", "resnet32", "init", first.toString()), folder.resolve("third")))
                .isInstanceOf(UserError.class).hasMessageContaining("does not fit the model: missing layer1.1.conv1.weight");
        assertThat(folder.resolve("third")).doesNotExist();
    }

    @Test
    void frozenParametersStayAsTheyAre() {
        Path first = folder.resolve("first");
        Firn.train(options("max-steps", 1), first);
        Path second = folder.resolve("second");
        Firn.train(options("max-steps", 3, "init", first.resolve("weights.safetensors").toString(), "freeze", "until:layer3"),
                second);
        Weights a = weights(first);
        Weights b = weights(second);
        for (String name : List.of("conv1.weight", "bn1.running_mean", "layer2.0.conv1.weight", "layer2.0.bn2.running_var")) {
            assertThat(b.tensors().get(name).data()).as(name).isEqualTo(a.tensors().get(name).data());
        }
        assertThat(b.tensors().get("layer3.0.conv1.weight").data())
                .isNotEqualTo(a.tensors().get("layer3.0.conv1.weight").data());
    }

    @Test
    void aReportThatCannotBeWrittenCostsNothingElse() throws IOException {
        Path run = folder.resolve("run");
        Firn.train(options("max-steps", 2), run);
        Files.delete(run.resolve("report.html"));
        Files.createDirectories(run.resolve("report.html/full"));
        var log = new ByteArrayOutputStream();
        RunSummary s = Firn.train(new TrainRequest(Config.of(Map.of("max-steps", 3)), Optional.of(run), true, false,
                Devices::local, new PrintStream(log)));
        assertThat(s.steps()).isEqualTo(3);
        assertThat(log.toString()).contains("report.html was not written: cannot write ").contains("firn report " + run);
        assertThat(weights(run).tensors().get("bn1.num_batches_tracked").data()).containsExactly(3);
    }

    @Test
    void aRunThatDivergesWritesNoWeights() {
        Path run = folder.resolve("run");
        assertThatThrownBy(() -> Firn.train(options("lr", 1e10, "epochs", 20), run)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DIVERGED)).hasMessageContaining("lower --lr (it was 1.0E10)");
        assertThat(run.resolve("weights.safetensors")).doesNotExist();
    }

    /** Tar files, a cache in memory that holds everything, and one in a file that holds a part: the same net. */
    @Test
    void whereImagesComeFromAndAreKeptChangesNothing() throws IOException {
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < 40; i++) {
            Path file = folder.resolve("images").resolve("class" + i % 2).resolve("%02d.png".formatted(i));
            Files.createDirectories(file.getParent());
            var image = new BufferedImage(24, 30, BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < 30; y++) {
                for (int x = 0; x < 24; x++) {
                    image.setRGB(x, y, i % 2 == 0 ? 0x0000FF | y * 8 << 8 : 0xFF0000 | x * 8 << 8);
                }
            }
            ImageIO.write(image, "png", file.toFile());
            members.put("%02d.png".formatted(i), Files.readAllBytes(file));
            members.put("%02d.cls".formatted(i), ("class" + i % 2).getBytes(StandardCharsets.UTF_8));
        }
        Path tar = Tars.write(folder.resolve("all.tar"), members);
        Path run = folder.resolve("run");
        Map<String, Object> options = options("data", tar.toString(), "resolution", 16, "resize", "20", "augment", "flip", "epochs", 2,
                "no-shuffle", true);
        Firn.train(options, run);
        Map<String, Object> cached = new HashMap<>(options);
        cached.put("image-cache", "1MB");
        Firn.train(cached, folder.resolve("cached"));
        cached.put("image-cache", "20kB");
        cached.put("image-cache-folder", folder.toString());
        Firn.train(cached, folder.resolve("mapped"));
        assertSameBits(run, folder.resolve("cached"));
        assertSameBits(run, folder.resolve("mapped"));
        assertThat(weights(run).metadata().get("classes")).isEqualTo("[\"class0\",\"class1\"]");
        assertThat(folder.toFile().list((_, name) -> name.startsWith(".firn"))).isEmpty();
    }
}
