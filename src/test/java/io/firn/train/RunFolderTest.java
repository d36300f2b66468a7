package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Run folders, and the folders in them that are replaced whole. */
class RunFolderTest {
    @TempDir
    Path runs;

    @Test
    void theDefaultPlaceIsFree() throws IOException {
        LocalDateTime now = LocalDateTime.of(2026, 3, 4, 5, 6, 7);
        Path first = RunFolder.choose(runs, "resnet20", now);
        assertThat(first).isEqualTo(runs.resolve("resnet20-20260304-050607"));
        Files.createDirectory(first);
        Path second = RunFolder.choose(runs, "resnet20", now);
        assertThat(second).isEqualTo(runs.resolve("resnet20-20260304-050607-2"));

        assertThat(RunFolder.latest(runs, "resnet20")).isEmpty();
        begin(first);
        begin(second);
        begin(runs.resolve("resnet200-20270304-050607"));
        assertThat(second.resolve("config.toml").toFile().setLastModified(1000)).isTrue();
        assertThat(RunFolder.latest(runs, "resnet20")).hasValue(first);
        assertThat(RunFolder.latest(runs.resolve("none"), "resnet20")).isEmpty();
    }

    private static void begin(Path run) throws IOException {
        Files.createDirectories(run);
        Files.writeString(run.resolve("config.toml"), "");
    }

    @Test
    void noRunIsOverwritten() throws IOException {
        Path run = runs.resolve("a");
        try (RunFolder f = RunFolder.open(run, false)) {
            Files.writeString(f.config(), "");
        }
        refused(run, UserError.Kind.USAGE, "holds an unfinished run; go on with --resume");
        Files.writeString(run.resolve("weights.safetensors"), "");
        refused(run, UserError.Kind.USAGE, "holds a finished run");
        RunFolder.open(run, true).close();
    }

    @Test
    void noOtherFolderIsLitteredIn() throws IOException {
        Files.writeString(runs.resolve("thesis.tex"), "");
        refused(runs, UserError.Kind.USAGE, "is not empty and holds no run");
        Path file = runs.resolve("thesis.tex");
        refused(file, UserError.Kind.OTHER, "cannot write " + file);
        refused(file.resolve("below"), UserError.Kind.OTHER, "cannot write " + file);
    }

    private static void refused(Path run, UserError.Kind kind, String message) {
        assertThatThrownBy(() -> RunFolder.open(run, false)).isInstanceOf(UserError.class).hasMessageContaining(message)
                .matches(e -> ((UserError) e).kind() == kind);
    }

    @Test
    void onlyOneWrites() {
        Path run = runs.resolve("a");
        try (RunFolder _ = RunFolder.open(run, false)) {
            assertThatThrownBy(() -> RunFolder.open(run, true)).hasMessageContaining("being written by another process");
        }
        RunFolder.open(run, true).close();
    }

    @Test
    void aFolderIsReplacedWhole() throws IOException {
        Path target = runs.resolve("checkpoint");
        AtomicFolder.write(target, f -> Files.writeString(f.resolve("a"), "1"));
        AtomicFolder.write(target, f -> Files.writeString(f.resolve("b"), "2"));
        assertThat(runs).isDirectoryContaining("glob:**/checkpoint").isDirectoryNotContaining("glob:**/.*");
        assertThat(target).isDirectoryNotContaining("glob:**/a");
        assertThat(target.resolve("b")).hasContent("2");
    }

    @Test
    void aFailureLeavesTheFolderAsItWas() throws IOException {
        Path target = runs.resolve("checkpoint");
        AtomicFolder.write(target, f -> Files.writeString(f.resolve("a"), "1"));
        assertThatThrownBy(() -> AtomicFolder.write(target, f -> {
            Files.writeString(f.resolve("a"), "half");
            throw new IOException("No space left on device");
        })).isInstanceOf(UserError.class).hasMessage("cannot write " + target + ": No space left on device");
        assertThat(target.resolve("a")).hasContent("1");
        assertThat(runs).isDirectoryNotContaining("glob:**/.*");
    }

    @Test
    void aKillBetweenTheRenamesLosesNothing() throws IOException {
        Path run = runs.resolve("a");
        Files.createDirectories(run.resolve(".checkpoint.old"));
        Files.writeString(run.resolve(".checkpoint.old/a"), "1");
        Files.createDirectories(run.resolve(".checkpoint.tmp"));
        begin(run);
        try (RunFolder f = RunFolder.open(run, true)) {
            assertThat(f.checkpoint().resolve("a")).hasContent("1");
        }
    }
}
