package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.cuda.CudaFixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A process that is stopped while cuDNN compiles ends by the signal, and not by a crash. */
@Tag("slow")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class StoppedPlanTest {
    private static final int ENDED_BY_SIGTERM = 128 + 15;

    private static final JsonMapper JSON = JsonMapper.builder().build();

    @TempDir
    private Path folder;

    /** Of plans, in a cache that was empty before. */
    private List<Path> engines() throws IOException {
        Path cache = folder.resolve("cache/cuda/cudnn");
        if (!Files.isDirectory(cache)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(cache)) {
            return files.toList();
        }
    }

    /** At several moments, since what goes on then is up to chance: without a gate every second one was a crash. */
    @ParameterizedTest
    @ValueSource(ints = {0, 300, 500, 700, 900, 1100})
    void bySigtermWhileEnginesAreMade(int milliseconds) throws IOException, InterruptedException {
        CudaFixture.libraries();
        Path log = folder.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"), "io.firn.cli.Main",
                "plan", "resnet50", "--target", "h100", "--precision", "bf16", "--batch", "64", "--engines", "ask")
                .directory(folder.toFile()).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().put("FIRN_CACHE", folder.resolve("cache").toString());
        Process process = builder.start();
        while (process.isAlive() && engines().isEmpty()) {
            Thread.sleep(10);
        }
        Thread.sleep(milliseconds);
        assertThat(process.isAlive()).as(Files.readString(log)).isTrue();
        process.destroy();
        int code = process.waitFor();
        String said = Files.readString(log);
        assertThat(code).as(said).isEqualTo(ENDED_BY_SIGTERM);
        assertThat(said).doesNotContain("SIGSEGV", "SIGABRT", "fatal error", "Exception");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.filter(f -> f.getFileName().toString().startsWith("hs_err"))).isEmpty();
        }
        for (Path file : engines()) {
            if (file.toString().endsWith(".json")) {
                assertThat(JSON.readTree(file.toFile()).path("key").asText()).as(file.toString()).contains("cuDNN");
            }
        }
    }
}
