package io.firn.cli;

import static io.firn.cli.CommandLineRun.fields;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.graph.Shape;
import io.firn.train.TinyData;
import io.firn.weights.Safetensors;
import io.firn.weights.Weights;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code firn train}, {@code evaluate} and {@code predict} as a user types them, and what goes wrong. */
class TrainCommandsTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path run;

    @TempDir
    private Path folder;

    @BeforeAll
    static void train() {
        data = TinyData.idx(shared.resolve("data"), 40, 20, 4);
        run = shared.resolve("run");
        var trained = here("--max-steps", 4, "--output", run, "--json");
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(fields(trained.json())).contains("run", "epochs", "steps", "best_top1", "seconds", "images_per_s");
        assertThat(trained.json().get("steps").asInt()).isEqualTo(4);
        assertThat(trained.err()).contains("train: step 4 of 4, loss ").contains(" MB resident");
    }

    /** Trains a small net on the shared data; options that are given replace the usual ones. */
    private static CommandLineRun here(Object... more) {
        List<Object> args = new ArrayList<>(List.of("train"));
        Map.of("--data", data, "--model", "resnet20", "--depth", 0.3, "--batch", 8, "--precision", "fp32").forEach((k, v) -> {
            if (!List.of(more).contains(k)) {
                args.addAll(List.of(k, v));
            }
        });
        args.add("--deterministic");
        args.addAll(List.of(more));
        return CommandLineRun.here(args.toArray());
    }

    /** What {@code firn plan} shows is the step that a training with the same options runs. */
    @Test
    void theRunsPlanIsTheOneThatPlanShows() throws IOException {
        String options = "--depth 0.3 --batch 4 --precision fp32 --classes 10 --channels 1 --resolution " + TinyData.SIDE
                + " --deterministic --ema 0.9 --clip-norm 1 --grad-accumulation 2 --optimizer lars --mixup 0.2 --label-smoothing 0.05"
                + " --no-decay-norms --freeze conv1";
        Path output = folder.resolve("run");
        List<Object> words = new ArrayList<>(List.of("train", "--model", "resnet20", "--data", data, "--max-steps", 1,
                "--output", output));
        words.addAll(List.of(options.split(" ")));
        var trained = CommandLineRun.here(words.toArray());
        assertThat(trained.code()).as(trained.err()).isZero();
        var planned = CommandLineRun.here(Stream.concat(Stream.of("plan", "resnet20", "--json"),
                Stream.of(options.split(" "))).toArray());
        assertThat(planned.code()).as(planned.err()).isZero();
        JsonNode ran = new ObjectMapper().readTree(output.resolve("plan.json").toFile());
        assertThat(ran.get("micro_batches").asInt()).isEqualTo(2);
        for (String field : List.of("launches", "flops", "micro_batches", "predicted_ms", "removed")) {
            assertThat(ran.get(field)).as(field).isEqualTo(planned.json().get(field));
        }
    }

    private static void refused(CommandLineRun r, int code, String message) {
        assertThat(r.err().strip().lines().toList().getLast()).contains(message);
        assertThat(r.code()).isEqualTo(code);
        assertThat(r.out()).isEmpty();
    }

    private static Path image(Path file, int shade) throws IOException {
        BufferedImage image = new BufferedImage(TinyData.SIDE, TinyData.SIDE, BufferedImage.TYPE_BYTE_GRAY);
        for (int x = 0; x < 6; x++) {
            for (int y = 0; y < 6; y++) {
                image.getRaster().setSample(x, y, 0, shade);
            }
        }
        Files.createDirectories(file.getParent());
        ImageIO.write(image, "png", file.toFile());
        return file;
    }

    @Test
    void theRunKeepsItsCommandAndWhereItRan() throws IOException {
        JsonNode kept = new ObjectMapper().readTree(run.resolve("environment.jsonl").toFile());
        assertThat(fields(kept)).containsExactly("started", "command", "step", "steps", "firn", "java", "system", "machine", "target",
                "libraries");
        List<String> words = StreamSupport.stream(kept.get("command").spliterator(), false).map(JsonNode::asText).toList();
        assertThat(words).startsWith("firn", "train").containsSequence("--max-steps", "4").endsWith("--json");
        assertThat(kept.get("steps").asInt()).isEqualTo(4);
        assertThat(kept.get("machine").get("cores").asInt()).isPositive();
    }

    @Test
    void helpShowsExamples() {
        for (String command : List.of("train", "evaluate", "predict")) {
            var help = CommandLineRun.here(command, "--help");
            assertThat(help.code()).isZero();
            assertThat(help.out()).contains("Example").contains("firn " + command + " --");
        }
    }

    @Test
    void evaluateHasTheContractsFields() {
        var e = CommandLineRun.here("evaluate", "--init", run, "--data", data, "--json");
        assertThat(e.code()).as(e.err()).isZero();
        assertThat(fields(e.json())).containsExactly("model", "images", "loss", "top1", "top5", "images_per_s",
                "ece", "per_class");
        assertThat(e.json().get("images").asInt()).isEqualTo(20);
        assertThat(e.json().get("top5").asDouble()).isEqualTo(1);
    }

    @Test
    void predictWritesLogitsInTheOrderGiven() throws IOException {
        Path single = image(folder.resolve("z.png"), 250);
        image(folder.resolve("many/b.png"), 120);
        image(folder.resolve("many/a.png"), 220);
        Path logits = folder.resolve("logits.json");
        var p = CommandLineRun.here("predict", "--init", run, "--logits", logits, "--json", single, folder.resolve("many"));
        assertThat(p.code()).as(p.err()).isZero();
        JsonNode file = new ObjectMapper().readTree(logits.toFile());
        assertThat(file).isEqualTo(p.json());
        assertThat(fields(file)).containsExactly("classes", "images");
        assertThat(file.get("classes")).hasSize(4);
        Stream<JsonNode> images = StreamSupport.stream(file.get("images").spliterator(), false);
        assertThat(images).hasSize(3).allSatisfy(i -> {
            assertThat(fields(i)).containsExactly("file", "logits", "top");
            assertThat(i.get("logits")).hasSize(4);
            assertThat(fields(i.get("top").get(0))).containsExactly("class", "probability");
        });
        assertThat(file.get("images").findValuesAsText("file")).containsExactly(single.toString(),
                folder.resolve("many/a.png").toString(), folder.resolve("many/b.png").toString());
    }

    @Test
    void predictWritesFeaturesForOtherPrograms() throws IOException {
        Path first = image(folder.resolve("a.png"), 220);
        Path second = image(folder.resolve("b.png"), 120);
        Path file = folder.resolve("features.safetensors");
        var p = CommandLineRun.here("predict", "--init", run, "--features", file, "--json", second, first);
        assertThat(p.code()).as(p.err()).isZero();
        assertThat(p.json().get("images").asInt()).isEqualTo(2);
        Weights read = Safetensors.read(file);
        assertThat(read.tensors().get("features").shape()).isEqualTo(Shape.of(2, 64));
        assertThat(read.metadata().get("files")).isEqualTo("[\"%s\",\"%s\"]".formatted(second, first));
        JsonNode logits = CommandLineRun.here("predict", "--init", run, "--json", second, first).json().get("images");
        for (int i = 0; i < 8; i++) {
            assertThat(read.tensors().get("logits").data()[i]).isCloseTo((float) logits.get(i / 4).get("logits").get(i % 4)
                    .asDouble(), within(1e-4f));
        }
        refused(CommandLineRun.here("predict", "--init", run, "--features", file, "--tta", "mirror", first), 2,
                "--features excludes");
        Path none = folder.resolve("none.safetensors");
        refused(CommandLineRun.here("predict", "--init", run, "--features", none, first,
                Files.writeString(folder.resolve("bad.jpg"), "no picture")), 3, "none.safetensors was not written");
        assertThat(none).doesNotExist();
    }

    @Test
    void aDamagedImageIsToldOfAndNoLogitsAreWritten() throws IOException {
        Path good = image(folder.resolve("good.png"), 250);
        Path bad = Files.writeString(folder.resolve("bad.jpg"), "no picture");
        Path logits = folder.resolve("logits.json");
        var p = CommandLineRun.here("predict", "--init", run, "--logits", logits, bad, good);
        assertThat(p.code()).isEqualTo(3);
        assertThat(p.out()).startsWith(good + ": ");
        assertThat(p.err()).contains(bad.toString()).contains("1 of 2 images could not be read");
        assertThat(logits).doesNotExist();
        var alone = CommandLineRun.here("predict", "--init", run, bad);
        assertThat(alone.code()).isEqualTo(3);
    }

    @Test
    void whatIsMissingOrUnknown() throws IOException {
        refused(CommandLineRun.here("train", "--model", "resnet20"), 2, "--data is missing");
        refused(CommandLineRun.here("train", "--data", data), 2, "--model is missing");
        refused(here("--model", "resnet21"), 2, "resnet20");
        refused(here("--data", folder.resolve("nowhere")), 3, "no data set at");
        refused(here("--data", Files.createDirectory(folder.resolve("empty"))), 3, "holds no images");
        refused(here("--batch", 0), 2, "--batch 0: must be at least 1");
        refused(here("--epochs", "many"), 2, "--epochs");
        refused(here("--config", folder.resolve("none.toml")), 3, "no such configuration file");
        refused(here("--device", "cuda"), 2, "--device cuda");
        refused(here("--precision", "fp16"), 2, "fp16");
        refused(here("--classes", 2), 2, "has 4 classes");
        refused(here("--mean", "0.5,0.5,0.5", "--std", "1,1,1"), 2, "--mean and --std take 1 numbers");
        refused(here("--init", folder.resolve("none")), 3, "no such file or run folder");
        refused(here("--freeze", "layer9"), 2, "layer");
        refused(CommandLineRun.here("evaluate", "--data", data), 2, "--init");
        refused(CommandLineRun.here("predict", "--init", folder, folder), 3, "neither best.safetensors nor");
        assertThat(folder.resolve("run")).doesNotExist();
    }

    @Test
    void aValidationOfOneClass() throws IOException {
        Path one = folder.resolve("val");
        image(one.resolve("0/a.png"), 9);
        refused(here("--val", one), 3, one + " has images of only one class, '0': a validation needs at least two");
    }

    @Test
    void placesThatCannotBeWritten() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        refused(here("--max-steps", 1, "--output", file.resolve("run")), 1, "cannot write");
        refused(here("--max-steps", 1, "--output", run), 2, "holds a finished run");
        refused(CommandLineRun.here("predict", "--init", run, "--logits", file.resolve("x"), image(folder.resolve("a.png"),
                9)), 1, "cannot write");
    }

    @Test
    void aSingleValueAChannelIsRefused() {
        refused(here("--batch", 1, "--resolution", 4), 2, "batch norm layer3.0.bn1 has a single value a channel");
    }

    @Test
    void whatDoesNotFitIntoMemoryIsToldWithTheLargestBatchThatDoes() {
        Path many = TinyData.idx(folder.resolve("many"), 4000, 0, 4);
        refused(here("--data", many, "--batch", 4000, "--resolution", 512, "--output", folder.resolve("run")), 4,
                "the largest batch that fits is --batch ");
        assertThat(folder.resolve("run")).doesNotExist();
    }

    @Test
    void fewerImagesThanABatchLowerIt() {
        Path few = TinyData.idx(folder.resolve("few"), 6, 0, 2);
        var r = here("--data", few, "--epochs", 1, "--output", folder.resolve("run"), "--json");
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(r.err()).contains("6 images to train on: --batch is lowered");
        assertThat(r.json().get("steps").asInt()).isOne();
    }
}
