package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.data.Tars;
import io.firn.train.TinyData;
import io.firn.weights.Safetensors;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code firn predict}, {@code evaluate} and {@code convert --average} say of a trained net, in files and in numbers. */
class AskedNetTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path run;
    private static Path other;

    @TempDir
    private Path folder;

    @BeforeAll
    static void train() {
        data = TinyData.idx(shared.resolve("data"), 80, 40, 4);
        run = train("run", 1);
        other = train("other", 2);
    }

    private static Path train(String name, int seed) {
        Path run = shared.resolve(name);
        var trained = CommandLineRun.here("train", "--data", data, "--model", "resnet20", "--depth", 0.3, "--batch", 8,
                "--precision", "fp32", "--max-steps", 8, "--output", run, "--seed", seed);
        assertThat(trained.code()).as(trained.err()).isZero();
        return run;
    }

    /** Gray pictures with a bright half: the left one of even, the right one of odd numbers. */
    private List<Path> images(int count) throws IOException {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            var image = new BufferedImage(TinyData.SIDE, TinyData.SIDE, BufferedImage.TYPE_BYTE_GRAY);
            for (int p = 0; p < TinyData.SIDE * TinyData.SIDE; p++) {
                boolean left = p % TinyData.SIDE < TinyData.SIDE / 2;
                image.getRaster().setSample(p % TinyData.SIDE, p / TinyData.SIDE, 0, left == (i % 2 == 0) ? 200 - i : 30);
            }
            Path file = folder.resolve("images").resolve("%02d,a.png".formatted(i));
            Files.createDirectories(file.getParent());
            ImageIO.write(image, "png", file.toFile());
            files.add(file);
        }
        return files;
    }

    private static JsonNode json(String text) {
        try {
            return new ObjectMapper().readTree(text);
        } catch (IOException e) {
            throw new IllegalStateException(text, e);
        }
    }

    private JsonNode logits(Object... more) {
        List<Object> args = new ArrayList<>(List.of("predict", "--init", run, "--json", "--threads", 1));
        args.addAll(List.of(more));
        var p = CommandLineRun.here(args.toArray());
        assertThat(p.code()).as(p.err()).isZero();
        return p.json().get("images");
    }

    @Test
    void aFileHasALineForEachImageInOrderAlsoForDamagedOnes() throws IOException {
        List<Path> files = images(3);
        Files.write(files.get(1), new byte[] {1, 2, 3});
        Path csv = folder.resolve("found.csv");
        var p = CommandLineRun.here("predict", "--init", run, folder.resolve("images"), "--output", csv, "--top", 2, "--batch", 2);
        assertThat(p.code()).isEqualTo(3);
        assertThat(p.err()).contains("1 of 3 images could not be read");
        List<String> lines = Files.readAllLines(csv);
        assertThat(lines.getFirst()).isEqualTo("file,error,class1,probability1,class2,probability2");
        assertThat(lines.get(1)).matches("\"" + files.get(0) + "\",,[0-3],0\\.\\d+,[0-3],[0-9.E-]+");
        assertThat(lines.get(2)).startsWith("\"" + files.get(1) + "\",\"not a PNG, JPEG").endsWith(",,,,");
        assertThat(lines).hasSize(4);
        Path jsonl = folder.resolve("found.jsonl");
        assertThat(CommandLineRun.here("predict", "--init", run, folder.resolve("images"), "--output", jsonl).code()).isEqualTo(3);
        List<JsonNode> nodes = Files.readAllLines(jsonl).stream().map(AskedNetTest::json).toList();
        assertThat(nodes.stream().map(n -> n.get("file").asText())).containsExactlyElementsOf(files.stream().map(Path::toString).toList());
        assertThat(nodes.get(1).get("error").asText()).startsWith("not a PNG");
        assertThat(nodes.get(2).get("top")).hasSize(4);
    }

    @Test
    void tarFilesAndFoldersGiveTheSameAndUnknownFormatsAreRefused() throws IOException {
        List<Path> files = images(4);
        SequencedMap<String, byte[]> members = new LinkedHashMap<>();
        for (Path file : files) {
            members.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
        Path tar = Tars.write(folder.resolve("all.tar"), members);
        Path csv = folder.resolve("tar.csv");
        assertThat(CommandLineRun.here("predict", "--init", run, tar, "--output", csv).code()).isZero();
        Path second = folder.resolve("folder.csv");
        assertThat(CommandLineRun.here("predict", "--init", run, folder.resolve("images"), "--output", second).code()).isZero();
        assertThat(Files.readAllLines(csv).stream().skip(1).map(l -> l.split("\",")[1]))
                .isEqualTo(Files.readAllLines(second).stream().skip(1).map(l -> l.split("\",")[1]).toList());
        var refused = CommandLineRun.here("predict", "--init", run, tar, "--output", folder.resolve("x.parquet"));
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("must end with .csv or .jsonl");
        assertThat(folder.resolve("x.parquet")).doesNotExist();
    }

    @Test
    void mirroredViewsAreAveraged() throws IOException {
        List<Path> files = images(2);
        BufferedImage image = ImageIO.read(files.get(0).toFile());
        BufferedImage mirrored = new BufferedImage(TinyData.SIDE, TinyData.SIDE, BufferedImage.TYPE_BYTE_GRAY);
        for (int p = 0; p < TinyData.SIDE * TinyData.SIDE; p++) {
            mirrored.getRaster().setSample(TinyData.SIDE - 1 - p % TinyData.SIDE, p / TinyData.SIDE, 0,
                    image.getRaster().getSample(p % TinyData.SIDE, p / TinyData.SIDE, 0));
        }
        ImageIO.write(mirrored, "png", files.get(1).toFile());
        JsonNode apart = logits(files.get(0), files.get(1));
        JsonNode together = logits(files.get(0), files.get(1), "--tta", "mirror");
        for (int c = 0; c < 4; c++) {
            double first = apart.get(0).get("logits").get(c).asDouble();
            double second = apart.get(1).get("logits").get(c).asDouble();
            assertThat(together.get(0).get("logits").get(c).asDouble()).isCloseTo((first + second) / 2, org.assertj.core.api.Assertions.within(1e-5));
            assertThat(first).isNotEqualTo(second);
        }
    }

    @Test
    void classesAndConfusionAddUpToTheWhole() throws IOException {
        Path csv = folder.resolve("confusion.csv");
        var e = CommandLineRun.here("evaluate", "--init", run, "--data", data, "--confusion", csv, "--json");
        assertThat(e.code()).as(e.err()).isZero();
        List<String[]> rows = Files.readAllLines(csv).stream().map(l -> l.split(",")).toList();
        assertThat(rows.getFirst()).containsExactly("label", "0", "1", "2", "3");
        int right = 0;
        for (int i = 0; i < 4; i++) {
            int sum = 0;
            int predicted = 0;
            for (int j = 0; j < 4; j++) {
                sum += Integer.parseInt(rows.get(i + 1)[j + 1]);
                predicted += Integer.parseInt(rows.get(j + 1)[i + 1]);
            }
            int hit = Integer.parseInt(rows.get(i + 1)[i + 1]);
            right += hit;
            JsonNode c = e.json().get("per_class").get(i);
            assertThat(c.get("class").asText()).isEqualTo(String.valueOf(i));
            assertThat(c.get("images").asInt()).isEqualTo(sum).isEqualTo(10);
            assertThat(c.get("recall").asDouble()).isEqualTo(hit / 10.0);
            assertThat(c.get("precision").isNull()).isEqualTo(predicted == 0);
            if (predicted > 0) {
                assertThat(c.get("precision").asDouble()).isEqualTo(hit / (double) predicted);
            }
        }
        assertThat(e.json().get("top1").asDouble()).isEqualTo(right / 40.0);
        assertThat(e.json().get("ece").asDouble()).isBetween(0.0, 1.0);
        var text = CommandLineRun.here("evaluate", "--init", run, "--data", data, "--tta", "mirror");
        assertThat(text.out()).contains("calibration error").containsPattern("\nclass +images +precision +recall\n");
    }

    @Test
    void theMeanOfWeightsIsTheirMeanAndOtherNetsAreRefused() {
        Path mean = folder.resolve("mean.safetensors");
        var c = CommandLineRun.here("convert", run, mean, "--average", other);
        assertThat(c.code()).as(c.err()).isZero();
        var a = Safetensors.read(best(run)).tensors();
        var b = Safetensors.read(best(other)).tensors();
        Safetensors.read(mean).tensors().forEach((name, t) -> {
            float[] x = a.get(name).data();
            float[] y = b.get(name).data();
            for (int i = 0; i < x.length; i++) {
                assertThat(t.data()[i]).as(name).isEqualTo((float) (((double) x[i] + y[i]) / 2));
            }
        });
        assertThat(CommandLineRun.here("evaluate", "--init", mean, "--data", data).code()).isZero();
        Path small = TinyData.idx(folder.resolve("small"), 20, 8, 2);
        assertThat(CommandLineRun.here("train", "--data", small, "--model", "resnet20", "--depth", 0.3, "--batch", 8, "--precision",
                "fp32", "--max-steps", 1, "--output", folder.resolve("small-run")).code()).isZero();
        var refused = CommandLineRun.here("convert", run, mean, "--average", folder.resolve("small-run"));
        assertThat(refused.code()).isEqualTo(3);
        assertThat(refused.err()).contains("it is not the net that");
    }

    private static Path best(Path run) {
        return run.resolve("best.safetensors");
    }
}
