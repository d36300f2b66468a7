package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.error.UserError;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** Exit codes and the one line that goes with each. */
class MainTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... args) {
        return Main.run(args, new PrintStream(out), new PrintStream(err));
    }

    @Test
    void versionAndHelpSucceedOnStandardOutput() {
        assertThat(run("--version")).isZero();
        assertThat(run("--help")).isZero();
        assertThat(run()).isZero();
        assertThat(out.toString()).contains("firn").contains("Usage: firn").contains("Example:");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void usageErrorsAreOneLineWithAHint() {
        assertThat(run("--bogus")).isEqualTo(2);
        assertThat(err.toString()).isEqualTo("firn: unknown option '--bogus'; see 'firn --help'\n");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void debugAddsTheTrace() {
        run("--debug", "--bogus");
        assertThat(err.toString()).contains("\tat picocli.").endsWith("see 'firn --help'\n");
    }

    @Test
    void everyKindOfFailureHasItsCode() {
        for (UserError.Kind kind : UserError.Kind.values()) {
            var failure = Failure.of(new ExecutionException(new UserError(kind, "what, where")));
            assertThat(failure).isEqualTo(new Failure(kind.exitCode(), "what, where"));
        }
        assertThat(Failure.of(new RuntimeException(new OutOfMemoryError("Java heap space"))).exitCode()).isEqualTo(4);
    }

    @Test
    void filesThatCannotBeWrittenAreNamed() {
        assertThat(Failure.of(new UncheckedIOException(new AccessDeniedException("/a/b"))))
                .isEqualTo(new Failure(1, "/a/b: permission denied"));
        assertThat(Failure.of(new FileSystemException("/a/b", null, "No space left on device")))
                .isEqualTo(new Failure(1, "/a/b: no space left on device"));
        assertThat(Failure.of(new UncheckedIOException("standard output: full", new IOException("full"))).line())
                .isEqualTo("standard output: full");
    }

    @Test
    void aDefectIsOneLineToo() {
        assertThat(Failure.of(new IllegalStateException("one\n  two"))).isEqualTo(new Failure(1,
                "internal error: java.lang.IllegalStateException: one two; run again with --debug for the trace"));
    }
}
