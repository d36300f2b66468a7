package io.firn.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file is replaced whole or left as it was, and nothing is left beside it. */
class AtomicFileTest {
    @TempDir
    Path folder;
    private Path target;

    @BeforeEach
    void oldContent() throws IOException {
        target = Files.writeString(folder.resolve("w"), "old");
    }

    @Test
    void contentReplacesTheOld() throws IOException {
        AtomicFile.write(target, out -> out.write(ByteBuffer.wrap("new".getBytes())));
        assertThat(target).hasContent("new");
        assertThat(folder).isDirectoryContaining(p -> p.equals(target));
        assertThat(folder.toFile().list()).hasSize(1);
    }

    @Test
    void aFullDiskLeavesTheOldContent() {
        assertThatThrownBy(() -> AtomicFile.write(target, out -> {
            out.write(ByteBuffer.wrap("ne".getBytes()));
            throw new IOException("No space left on device");
        })).isInstanceOfSatisfying(UserError.class, e -> assertThat(e.kind()).isEqualTo(UserError.Kind.OTHER))
                .hasMessage("cannot write %s: No space left on device", target);
        assertThat(target).hasContent("old");
        assertThat(folder.toFile().list()).hasSize(1);
    }

    @Test
    void aDefectInTheContentLeavesTheOldContent() {
        assertThatThrownBy(() -> AtomicFile.write(target, out -> {
            throw new IllegalStateException("defect");
        })).isInstanceOf(IllegalStateException.class);
        assertThat(target).hasContent("old");
        assertThat(folder.toFile().list()).hasSize(1);
    }

    @Test
    void placesThatCannotBeWrittenAreNamed() throws IOException {
        Path nowhere = folder.resolve("none/w");
        assertThatThrownBy(() -> AtomicFile.write(nowhere, out -> { })).isInstanceOf(UserError.class)
                .hasMessage("cannot write %s: no such file or folder", nowhere);
        assertThatThrownBy(() -> AtomicFile.write(target.resolve("w"), out -> { })).isInstanceOf(UserError.class)
                .hasMessageStartingWith("cannot write " + target.resolve("w"));
        Path full = Files.createDirectories(folder.resolve("d/inside")).getParent();
        assertThatThrownBy(() -> AtomicFile.write(full, out -> { })).isInstanceOf(UserError.class)
                .hasMessageStartingWith("cannot write " + full);
        assertThat(folder.toFile().list()).containsExactlyInAnyOrder("w", "d");
        assertThatThrownBy(() -> AtomicFile.write(Path.of("/"), out -> { })).isInstanceOf(UserError.class);
    }
}
