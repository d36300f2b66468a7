package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Damaged files of every kind: each is a clear line, and nothing crashes, hangs or believes what a header claims. */
class FuzzTest {
    private static final int MEGABYTES = 1200;

    @TempDir
    private Path folder;

    @Test
    void aFewDamagedFilesOfEveryKind() throws Exception {
        assertThat(FuzzRun.run(folder, 20, 1)).isPositive();
    }

    /** In a process of its own, so that a crash is seen and memory can be held: Java's and what libraries take. */
    @Test
    @Tag("slow")
    @Timeout(value = 20, unit = TimeUnit.MINUTES)
    void aThousandDamagedFiles() throws Exception {
        File log = folder.resolve("log").toFile();
        Process process = new ProcessBuilder(List.of(ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx300m", "-XX:+UseSerialGC",
                "-XX:MaxDirectMemorySize=100m", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", System.getProperty("java.class.path"),
                "io.firn.cli.FuzzRun", Files.createDirectory(folder.resolve("work")).toString(), "1000", "1000"))
                .redirectErrorStream(true).redirectOutput(log).start();
        int code = process.waitFor();
        String said = Files.readString(log.toPath());
        System.out.print(said);
        assertThat(code).as(said).isZero();
        String peak = said.lines().filter(l -> l.startsWith("VmHWM")).findFirst().orElseThrow();
        assertThat(Long.parseLong(peak.replaceAll("\\D", "")) / 1000).as(peak).isLessThan(MEGABYTES);
    }
}
