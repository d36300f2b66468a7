package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.cli.Main;
import io.firn.train.TinyData;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ranks that are processes of their own, as torchrun starts them: what differs between processes must not differ in plans. */
class RankProcessesTest {
    @TempDir
    private Path folder;

    @Test
    void twoProcessesTrainTogether() throws Exception {
        Path data = TinyData.idx(folder.resolve("data"), 16, 8, 4);
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        List<Process> ranks = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
            // Of each plan there is a convolution whose backward pass wants its weights in a layout of oneDNN's own.
            ProcessBuilder p = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(), "-Xmx300m",
                    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-modules=jdk.incubator.vector",
                    "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Main.class.getName(),
                    "train", "--data", data.toString(), "--model", "resnet20", "--depth", "0.3", "--batch", "8", "--precision",
                    "fp32", "--deterministic", "--threads", "1", "--max-steps", "2", "--output", folder.resolve("run").toString());
            p.environment().putAll(Map.of("RANK", String.valueOf(rank), "WORLD_SIZE", "2", "MASTER_ADDR", "127.0.0.1",
                    "MASTER_PORT", String.valueOf(port)));
            ranks.add(p.redirectErrorStream(true).redirectOutput(log(rank).toFile()).start());
        }
        for (int rank = 0; rank < 2; rank++) {
            assertThat(ranks.get(rank).waitFor()).as("rank %d: %s", rank, Files.readString(log(rank))).isZero();
        }
        assertThat(Files.readString(folder.resolve("run/metrics.jsonl"))).contains("\"step\":2");
        assertThat(Files.readString(log(0))).contains("results in " + folder.resolve("run"));
        assertThat(Files.readString(log(1))).as("the first rank speaks").doesNotContain("results in");
    }

    private Path log(int rank) throws IOException {
        return folder.resolve("rank" + rank + ".log");
    }
}
