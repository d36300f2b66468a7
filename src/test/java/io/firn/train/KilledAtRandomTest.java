package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.report.Report;
import io.firn.weights.Safetensors;
import io.firn.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A training that is killed at fifty random moments, and gone on with each time: the same weights, bit for bit. */
@Tag("slow")
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class KilledAtRandomTest {
    private static final int KILLS = 50;
    private static final int MOST_MS = 6000;

    @TempDir
    private Path folder;
    private Path data;

    private Process train(Path run) throws IOException {
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"),
                "io.firn.cli.Main", "train", "--resume", "--output", run.toString(), "--data", data.toString(), "--model", "resnet20",
                "--depth", "0.3", "--batch", "4", "--epochs", "12", "--precision", "fp32", "--deterministic", "--checkpoint-every", "1",
                "--threads", "2"));
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve(run.getFileName() + ".log").toFile())
                .start();
    }

    private void finish(Path run) throws Exception {
        assertThat(train(run).waitFor()).as(Files.readString(folder.resolve(run.getFileName() + ".log"))).isZero();
    }

    /** The report, all lines but a last one that was being written, and the checkpoint, which is whole or not there. */
    private static void assertReadable(Path run) throws IOException {
        if (!Files.exists(run.resolve("metrics.jsonl"))) {
            return;
        }
        assertThat(Report.of(List.of(run)).html()).contains("</html>");
        List<String> lines = Files.readAllLines(run.resolve("metrics.jsonl"));
        for (String line : lines.subList(0, Math.max(0, lines.size() - 1))) {
            assertThat(new ObjectMapper().readTree(line).get("kind").asText()).isIn("step", "epoch");
        }
        Checkpoint.read(run.resolve("checkpoint"));
    }

    @Test
    void fiftyKillsChangeNoBit() throws Exception {
        data = TinyData.idx(folder.resolve("data"), 400, 40, 4);
        Path whole = folder.resolve("whole");
        finish(whole);
        Weights expected = Safetensors.read(whole.resolve("weights.safetensors"));
        Random random = new Random(7);
        int kills = 0;
        for (int n = 0; kills < KILLS; n++) {
            Path run = folder.resolve("run" + n);
            while (kills < KILLS && !Files.exists(run.resolve("weights.safetensors"))) {
                Process process = train(run);
                boolean ended = process.waitFor(1 + random.nextInt(MOST_MS), TimeUnit.MILLISECONDS);
                process.destroyForcibly().waitFor();
                kills += ended ? 0 : 1;
                assertThat(ended && process.exitValue() != 0).as(Files.readString(folder.resolve(run.getFileName() + ".log"))).isFalse();
                assertReadable(run);
            }
            finish(run);
            Safetensors.read(run.resolve("weights.safetensors")).tensors().forEach((name, t) -> assertThat(t.data())
                    .as("%s, %s", run.getFileName(), name).isEqualTo(expected.tensors().get(name).data()));
            assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSameSizeAs(Files.readAllLines(whole.resolve("metrics.jsonl")));
        }
        System.out.println(kills + " kills");
    }
}
