package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.weights.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real processes that are stopped and killed, and go on to the same weights, bit for bit. */
@Tag("slow")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class KilledProcessTest {
    @TempDir
    private Path folder;

    private Process train(String output, String... more) throws IOException {
        Path data = folder.resolve("data");
        if (!Files.exists(data)) {
            TinyData.idx(data, 400, 40, 4);
        }
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"),
                "io.firn.cli.Main", "train", "--output", folder.resolve(output).toString()));
        command.addAll(List.of(more));
        if (!command.contains("--resume")) {
            command.addAll(List.of("--data", data.toString(), "--model", "resnet20", "--depth", "0.3", "--batch", "4",
                    "--epochs", "20", "--precision", "fp32", "--deterministic", "--checkpoint-every", "1", "--threads", "2"));
        }
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve(output + ".log").toFile())
                .start();
    }

    private int code(String output, String... more) throws Exception {
        return train(output, more).waitFor();
    }

    /** Lets a process train until it has a checkpoint and some steps beyond. */
    private void awaitSteps(Process process, String output) throws Exception {
        Path run = folder.resolve(output);
        for (int i = 0; process.isAlive() && i < 6000; i++) {
            if (Files.exists(run.resolve("checkpoint")) && Files.size(run.resolve("metrics.jsonl")) > 40_000) {
                break;
            }
            Thread.sleep(10);
        }
        assertThat(process.isAlive()).as(Files.readString(folder.resolve(output + ".log"))).isTrue();
    }

    private void assertSameAsUninterrupted(String output) throws Exception {
        assertThat(code("whole")).as(Files.readString(folder.resolve("whole.log"))).isZero();
        var whole = Safetensors.read(folder.resolve("whole/weights.safetensors")).tensors();
        Safetensors.read(folder.resolve(output).resolve("weights.safetensors")).tensors()
                .forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(whole.get(name).data()));
        assertThat(Files.readAllLines(folder.resolve(output).resolve("metrics.jsonl"))).hasSameSizeAs(
                Files.readAllLines(folder.resolve("whole/metrics.jsonl")));
    }

    @Test
    void killedWithoutWarning() throws Exception {
        Process process = train("killed");
        awaitSteps(process, "killed");
        process.destroyForcibly().waitFor();
        assertThat(folder.resolve("killed/weights.safetensors")).doesNotExist();
        assertThat(code("killed", "--resume")).as(Files.readString(folder.resolve("killed.log"))).isZero();
        assertSameAsUninterrupted("killed");
    }

    /** {@code firn selftest --resume}, with all that a step can have, and defaults that follow from the run's length. */
    @Test
    void theSelftestProvesIt() {
        Path data = TinyData.idx(folder.resolve("data"), 400, 40, 4);
        List<String> program = List.of(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"), "io.firn.cli.Main");
        Config options = Config.of(Map.of("data", data.toString(), "model", "resnet20", "depth", 0.3, "batch", 4,
                "precision", "fp32", "grad-accumulation", 2, "mixup", 0.2, "ema", 0.99, "clip-norm", 1.0)).with("threads", 2);
        ResumeCheck.Result r = ResumeCheck.run(options, program, _ -> { });
        assertThat(r.differing()).isEmpty();
        assertThat(r.passed()).isTrue();
        assertThat(r.checkpoint()).isPositive().isLessThan(r.killed());
        assertThat(r.tensors()).isGreaterThan(50);
    }

    @Test
    void stoppedBySigterm() throws Exception {
        Process process = train("stopped");
        awaitSteps(process, "stopped");
        process.destroy();
        assertThat(process.waitFor()).isEqualTo(75);
        assertThat(Files.readString(folder.resolve("stopped.log"))).contains("firn: SIGTERM: stopped at step ");
        assertThat(code("stopped", "--resume")).isZero();
        assertSameAsUninterrupted("stopped");
    }
}
