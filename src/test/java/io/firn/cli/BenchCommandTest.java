package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code firn bench} and {@code firn selftest} on this machine's processor. */
class BenchCommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String line) {
        return Main.run(line.split(" "), new PrintStream(out), new PrintStream(err));
    }

    private JsonNode json(String line) throws IOException {
        assertThat(run(line)).as(err.toString()).isZero();
        return new ObjectMapper().readTree(out.toString());
    }

    @Test
    void aProfileHasEveryLaunchOfAFewSteps(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("trace.json");
        json("bench --model resnet20 --batch 2 --resolution 16 --steps 1 --warmup 1 --precision fp32 --json --profile " + file);
        JsonNode events = new ObjectMapper().readTree(file.toFile()).get("traceEvents");
        assertThat(events).hasSizeGreaterThan(100).allSatisfy(e -> {
            assertThat(e.get("ph").asText()).isEqualTo("X");
            assertThat(e.get("dur").asDouble()).isPositive();
            assertThat(e.get("args").get("kernel").asText()).isNotEmpty();
        });
        assertThat(events.size() % 3).as("three steps").isZero();
        for (int i = 1; i < events.size(); i++) {
            JsonNode before = events.get(i - 1);
            assertThat(events.get(i).get("ts").asDouble()).isGreaterThanOrEqualTo(before.get("ts").asDouble()
                    + before.get("dur").asDouble() - 1e-6);
        }
        assertThat(events.findValuesAsText("cat")).contains("input", "forward", "backward", "optimizer");
    }

    @Test
    void aStepMayTakeSeveralBatches() throws IOException {
        JsonNode r = json("bench --model resnet20 --depth 0.3 --batch 2 --resolution 16 --steps 2 --warmup 1 --precision fp32 "
                + "--deterministic --json --grad-accumulation 3 --clip-norm 1 --ema 0.9 --launches 1000");
        assertThat(r.get("micro_batches").asInt()).isEqualTo(3);
        assertThat(r.get("images_per_s").get("median").asDouble()).isCloseTo(6e3 / r.get("step_ms").get("median").asDouble(),
                Percentage.withPercentage(1e-6));
        assertThat(r.get("launches").findValuesAsText("phase")).contains("input", "forward", "backward", "optimizer");
    }

    @Test
    void theJsonHasTheContractsFields() throws IOException {
        JsonNode r = json("bench --model resnet20 --batch 8 --resolution 16 --steps 3 --warmup 1 --precision fp32 --json "
                + "--freeze until:layer2 --launches 2");
        assertThat(r.get("model").asText()).isEqualTo("resnet20");
        assertThat(r.get("device").asText()).isEqualTo("cpu");
        assertThat(r.get("precision").asText()).isEqualTo("fp32");
        assertThat(r.get("batch").asInt()).isEqualTo(8);
        assertThat(r.get("resolution").asInt()).isEqualTo(16);
        assertThat(r.get("mode").asText()).isEqualTo("train");
        assertThat(r.get("freeze").asText()).isEqualTo("until:layer2");
        assertThat(r.get("steps").asInt()).isEqualTo(3);
        JsonNode speed = r.get("images_per_s");
        JsonNode ms = r.get("step_ms");
        assertThat(speed.get("min").asDouble()).isPositive().isLessThanOrEqualTo(speed.get("median").asDouble());
        assertThat(speed.get("median").asDouble()).isLessThanOrEqualTo(speed.get("max").asDouble());
        assertThat(ms.get("median").asDouble() * speed.get("median").asDouble()).isBetween(7999.0, 8001.0);
        assertThat(ms.get("max").asDouble() * speed.get("min").asDouble()).isBetween(7999.0, 8001.0);
        assertThat(r.get("memory_bytes").isIntegralNumber()).isTrue();
        assertThat(r.get("roofline_share").asDouble()).isPositive();
        assertThat(r.get("peaks").get("bandwidth").asDouble()).isGreaterThan(1e8);
        assertThat(r.get("launches")).hasSize(2);
        assertThat(r.get("launches").get(0).get("ms").asDouble())
                .isGreaterThanOrEqualTo(r.get("launches").get(1).get("ms").asDouble());
    }

    /** A set of four images, in two classes. */
    private static Path photos(Path folder) throws IOException {
        for (int i = 0; i < 4; i++) {
            Path file = folder.resolve("class" + i % 2).resolve(i + ".jpg");
            Files.createDirectories(file.getParent());
            ImageIO.write(new BufferedImage(80, 60, BufferedImage.TYPE_INT_RGB), "jpg", file.toFile());
        }
        return folder;
    }

    @Test
    void theInputIsTimedByItselfAndBesideAModel(@TempDir Path folder) throws IOException {
        JsonNode r = json("bench resnet20 --input --data %s --workers 2 --seconds 0.1 --batch 2 --steps 2 --warmup 0 --precision fp32 --json"
                .formatted(photos(folder)));
        assertThat(r.get("images").asInt()).isEqualTo(4);
        assertThat(r.get("resolution").asInt()).isEqualTo(32);
        assertThat(r.get("stages")).hasSize(2).allSatisfy(s -> {
            assertThat(s.get("images").asInt()).isPositive();
            assertThat(s.get("per_worker").asDouble() * 2).isCloseTo(s.get("images_per_s").asDouble(), Percentage.withPercentage(0.1));
            assertThat(s.get("per_cpu_second").asDouble()).isPositive();
        });
        boolean slower = r.get("stages").get(1).get("images_per_s").asDouble() < r.get("model").get("images_per_s").asDouble();
        assertThat(r.get("limit").asText()).isEqualTo(slower ? "input" : "model");
    }

    @Test
    void inferenceIsPrintedForPeopleToo() {
        assertThat(run("bench resnet20 --mode infer --batch 2 --steps 1 --warmup 0 --precision fp32")).isZero();
        assertThat(out.toString()).contains("images/s").contains("roofline").contains("infer at batch 2");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "bench | --model is missing",
            "bench --input | --input needs --data PATH",
            "bench resnet20 --data photos | --data is for --input",
            "bench --input --data photos --workers 0 | workers",
            "bench resnet20 --steps 0 | --steps 0",
            "bench resnet20 --warmup -1 | --warmup -1",
            "bench resnet20 --batch 0 | --batch 0",
            "bench resnet2 | did you mean resnet20",
            "bench resnet20 --mode infer --freeze head | leave out --freeze",
            "bench resnet20 --freeze layer9 | no module is named 'layer9'",
            "bench resnet20 --precision fp16 | fp16",
            "bench resnet20 --device cuda | use --device cpu",
            "selftest --models resnet2 | did you mean resnet20",
            "selftest --device gpu | there is auto, cpu and cuda"})
    void wrongInputIsAUsageError(String line, String message) {
        assertThat(run(line)).as(err.toString()).isEqualTo(2);
        assertThat(err.toString()).startsWith("firn: ").contains(message).hasLineCount(1);
        assertThat(out.toString()).isEmpty();
    }
}
