package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.Firn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a training takes beyond a process that has opened its device and does nothing (as {@code firn info}), against what
 * its plan says: within 5 percent and 150 MB, most of which is Java's own: its heap of up to 64 MB, and what its compiler
 * takes while it compiles, which varies by 60 MB from run to run. Each in a process of its own, with the launcher's options.
 */
@Tag("slow")
class TrainingMemoryTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"resnet20, 64, 32, fp32", "resnet20, 64, 32, bf16", "resnet18, 16, 224, fp32", "resnet18, 16, 224, bf16",
            "efficientnet_b0, 16, 224, fp32", "efficientnet_b0, 16, 224, bf16"})
    void isWhatThePlanSays(String model, int batch, int resolution, String precision) throws Exception {
        Path log = folder.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders", "-Xms64m", "-Xmn12m", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp",
                System.getProperty("java.class.path"), TrainingMemoryTest.class.getName(), model, String.valueOf(batch),
                String.valueOf(resolution), precision, folder.toString())
                .redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().putAll(Map.of("OMP_WAIT_POLICY", "passive", "MALLOC_ARENA_MAX", "2"));
        Process process = builder.start();
        assertThat(process.waitFor()).as(Files.readString(log)).isZero();
        long planned = JsonMapper.builder().build().readTree(folder.resolve("run/plan.json").toFile()).get("memory")
                .get("total").asLong();
        long grown = Long.parseLong(Files.readString(folder.resolve("grown")));
        System.out.printf("%s %s at batch %d: %.1f MB planned, %.1f MB grown%n", model, precision, batch, planned / 1e6,
                grown / 1e6);
        assertThat(grown).isBetween(planned / 2, (long) (1.05 * planned) + 150_000_000);
    }

    /** The process that trains. */
    public static void main(String[] args) throws IOException {
        Devices.local("cpu", Runtime.getRuntime().availableProcessors()).close();
        ResidentMemory idle = ResidentMemory.now();
        Path folder = Path.of(args[4]);
        Map<String, Object> options = new HashMap<>(Map.of("model", args[0], "batch", Integer.parseInt(args[1]), "resolution",
                Integer.parseInt(args[2]), "precision", args[3], "max-steps", 4, "channels", 3, "resize", args[2], "workers", 1));
        options.put("data", TinyData.idx(folder.resolve("data"), 4 * Integer.parseInt(args[1]), 0, 4).toString());
        Firn.train(options, folder.resolve("run"));
        Files.writeString(folder.resolve("grown"), String.valueOf(idle.growth()));
    }
}
