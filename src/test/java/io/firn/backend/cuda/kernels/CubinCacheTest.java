package io.firn.backend.cuda.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each source is compiled once for an architecture and a compiler, and whatever is wrong with the folder costs time only. */
class CubinCacheTest {
    private static final KernelSource ONE = KernelSource.of("one", "void ENTRY();");
    private static final KernelSource TWO = KernelSource.of("two", "int ENTRY();");

    @TempDir
    private Path folder;

    /** Counts what it compiles. */
    private record Counting(String version, AtomicInteger compiled) implements KernelCompiler {
        Counting(String version) {
            this(version, new AtomicInteger());
        }

        @Override
        public byte[] compile(KernelSource source, String architecture) {
            compiled.incrementAndGet();
            return (source.entry() + architecture + version).getBytes(StandardCharsets.UTF_8);
        }
    }

    private static int compiles(Path folder, Counting compiler, String architecture) {
        int before = compiler.compiled.get();
        Map<String, byte[]> cubins = new CubinCache(folder, compiler).cubins(List.of(ONE, TWO, ONE), architecture, 2);
        for (KernelSource s : List.of(ONE, TWO)) {
            assertThat(new String(cubins.get(s.entry()), StandardCharsets.UTF_8)).isEqualTo(s.entry() + architecture + compiler.version);
        }
        return compiler.compiled.get() - before;
    }

    @Test
    void compilesOnceForEachArchitectureAndVersion() throws IOException {
        Counting old = new Counting("13.0");
        assertThat(compiles(folder, old, "sm_80")).isEqualTo(2);
        assertThat(compiles(folder, old, "sm_80")).isZero();
        assertThat(compiles(folder, old, "sm_90")).isEqualTo(2);
        assertThat(compiles(folder, new Counting("13.1"), "sm_90")).isEqualTo(2);
        assertThat(compiles(folder, old, "sm_90")).isZero();
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).hasSize(6).allMatch(f -> f.toString().endsWith(".cubin"));
        }
    }

    @Test
    void whatHoldsNothingIsCompiledAgain() throws IOException {
        Counting compiler = new Counting("13.0");
        assertThat(compiles(folder, compiler, "sm_90")).isEqualTo(2);
        try (Stream<Path> files = Files.list(folder)) {
            Files.write(files.findFirst().orElseThrow(), new byte[0]);
        }
        assertThat(compiles(folder, compiler, "sm_90")).isOne();
        assertThat(compiles(folder, compiler, "sm_90")).isZero();
    }

    @Test
    void aFolderThatCannotBeOneIsDoneWithout() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        Counting compiler = new Counting("13.0");
        assertThat(compiles(file, compiler, "sm_90")).isEqualTo(2);
        assertThat(compiles(file, compiler, "sm_90")).isEqualTo(2);
    }

    @Test
    void whatIsRefusedIsSaidAndNotKept() throws IOException {
        KernelCompiler refuses = new KernelCompiler() {
            @Override
            public String version() {
                return "13.0";
            }

            @Override
            public byte[] compile(KernelSource source, String architecture) {
                throw new IllegalStateException("expected a ;");
            }
        };
        assertThatThrownBy(() -> new CubinCache(folder, refuses).cubins(List.of(ONE), "sm_90", 1)).hasMessage("expected a ;");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
    }
}
