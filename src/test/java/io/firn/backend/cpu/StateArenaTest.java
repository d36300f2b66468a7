package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.firn.backend.Collectives;
import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.plan.Buffer;
import io.firn.plan.Layout;
import io.firn.plan.Precision;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Frozen weights that lie in a file are what they would be in memory, and take none once they were used. */
class StateArenaTest {
    private static final long UNIT = 64 << 10;
    private static final int ALLOW_SEALING = 2;
    private static final int ADD_SEALS = 1033;
    private static final int SEAL_FUTURE_WRITE = 0x10;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FP32", "BF16"})
    void theFileChangesNoBitAndIsNotResident(Precision precision) throws IOException {
        assumeThat(Files.getFileStore(folder).type()).as("files there are memory").isNotIn("tmpfs", "ramfs");
        try (CpuBackend backend = CpuBackend.open(2)) {
            FrozenProgram p = FrozenProgram.of(backend, Optional.of("head"), precision);
            TreeMap<String, float[]> inMemory;
            try (CpuSession session = new CpuSession(backend, p.program(), Collectives.ALONE, folder.resolve("none"))) {
                p.fill(session);
                p.step(session);
                inMemory = p.results(session);
                assertThat(mapped()).isEmpty();
            }
            try (CpuSession session = new CpuSession(backend, p.program(), Collectives.ALONE, folder)) {
                assertThat(folder).isEmptyDirectory();
                assertThat(total("Size:")).isGreaterThan(40_000_000);
                p.fill(session);
                assertThat(total("Rss:")).as("written").isLessThan(1_000_000);
                p.step(session);
                assertThat(total("Rss:")).as("prepared from").isLessThan(1_000_000);
                TreeMap<String, float[]> inFile = p.results(session);
                assertThat(total("Rss:")).as("read").isLessThan(1_000_000);
                assertThat(inFile.keySet()).isEqualTo(inMemory.keySet());
                inFile.forEach((name, values) -> assertThat(values).as(name).isEqualTo(inMemory.get(name)));
                String name = "layer4.1.conv2.weight";
                float[] lent = session.stateMemory(name).orElseThrow().toArray(ValueLayout.JAVA_FLOAT);
                assertThat(lent).isEqualTo(inMemory.get(name));
            }
            assertThat(folder).isEmptyDirectory();
            assertThat(mapped()).isEmpty();
            assertThat(openFiles()).isZero();
        }
    }

    @Test
    void withoutAFolderForItThereIsNoFile() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        assertThat(NamelessFile.create(file, UNIT)).isEmpty();
        assertThat(NamelessFile.create(folder.resolve("none"), UNIT)).isEmpty();
        assertThat(NamelessFile.create(folder, 1L << 62)).as("no disk has that").isEmpty();
        assertThat(folder).isDirectoryNotContaining(f -> !f.equals(file));
        assertThat(openFiles()).isZero();
    }

    @Test
    void fewBytesAreNotWorthAFile() throws IOException {
        try (CpuBackend backend = CpuBackend.open(2)) {
            FrozenProgram p = FrozenProgram.of(backend, Optional.of("until:layer4"), Precision.FP32);
            try (CpuSession _ = new CpuSession(backend, p.program(), Collectives.ALONE, folder)) {
                assertThat(mapped()).isEmpty();
            }
        }
    }

    @Test
    void aStateMayBeginBeforeWhatIsInTheFileAndEndAfterIt() throws Throwable {
        try (StateArena arena = arena(memoryFile())) {
            Buffer before = floats(0, 16);
            Buffer state = floats(64, 40_000);
            Buffer after = floats(Buffer.align(state.end()), 16);
            float[] ones = random(16, 1);
            float[] values = random(40_000, 2);
            arena.write(before, ones);
            arena.write(after, ones);
            arena.write(state, values);
            for (Buffer b : List.of(before, state, after)) {
                arena.release(b);
            }
            assertThat(read(arena, before)).isEqualTo(ones);
            assertThat(read(arena, state)).isEqualTo(values);
            assertThat(read(arena, after)).isEqualTo(ones);
        }
    }

    @Test
    void whatADiskDoesNotTakeStaysInMemory() throws Throwable {
        int descriptor = memoryFile();
        try (StateArena arena = arena(descriptor)) {
            Buffer first = floats(UNIT, 8_000);
            Buffer second = floats(first.offset() + 32_000, 8_000);
            arena.write(first, random(8_000, 1));
            assertThat(seal(descriptor)).isZero();
            arena.write(second, random(8_000, 2));
            arena.release(first);
            arena.release(second);
            assertThat(read(arena, first)).as("what the file had").isEqualTo(random(8_000, 1));
            assertThat(read(arena, second)).isEqualTo(random(8_000, 2));
            arena.write(first, random(8_000, 3));
            arena.release(first);
            assertThat(read(arena, first)).isEqualTo(random(8_000, 3));
        }
    }

    @Test
    void whatCannotBeMappedStaysInMemory() throws Throwable {
        int descriptor = memoryFile();
        assertThat(seal(descriptor)).isZero();
        try (StateArena arena = arena(descriptor)) {
            Buffer state = floats(64, 40_000);
            arena.write(state, random(40_000, 1));
            arena.release(state);
            assertThat(read(arena, state)).isEqualTo(random(40_000, 1));
        }
    }

    /** 192 KiB whose second third lies in the file. */
    private static StateArena arena(int descriptor) {
        return new StateArena(new NativeArena(3 * UNIT), List.of(new ColdStates.Range(UNIT, 2 * UNIT)),
                Optional.of(new NamelessFile(descriptor)));
    }

    private static Buffer floats(long offset, int n) {
        return new Buffer(Buffer.Arena.STATE, offset, new Type(DType.F32, Shape.of(n)), Layout.DENSE);
    }

    private static float[] random(int n, int seed) {
        float[] values = new float[n];
        Random random = new Random(seed);
        for (int i = 0; i < n; i++) {
            values[i] = random.nextFloat();
        }
        return values;
    }

    private static float[] read(StateArena arena, Buffer b) {
        return arena.segment(b.offset(), b.bytes()).toArray(ValueLayout.JAVA_FLOAT);
    }

    /** A file of 64 KiB that needs no disk, and that can be made to refuse what is written to it. */
    private static int memoryFile() throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            ValueLayout.OfInt number = ValueLayout.JAVA_INT;
            int descriptor = (int) Libc.handle("memfd_create", number, ValueLayout.ADDRESS, number)
                    .invokeExact(arena.allocateFrom("states"), ALLOW_SEALING);
            assertThat((int) Libc.handle("ftruncate", number, number, ValueLayout.JAVA_LONG)
                    .invokeExact(descriptor, UNIT)).isZero();
            return descriptor;
        }
    }

    /** From now on the file takes nothing more, but by mappings that there are. */
    private static int seal(int descriptor) throws Throwable {
        Linker linker = Linker.nativeLinker();
        return (int) linker.downcallHandle(linker.defaultLookup().findOrThrow("fcntl"), FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
                Linker.Option.firstVariadicArg(2)).invokeExact(descriptor, ADD_SEALS, SEAL_FUTURE_WRITE);
    }

    private long openFiles() throws IOException {
        try (var files = Files.list(Path.of("/proc/self/fd"))) {
            return files.filter(f -> {
                try {
                    return Files.readSymbolicLink(f).toString().startsWith(folder + "/" + NamelessFile.PREFIX);
                } catch (IOException e) {
                    // Closed since it was listed.
                    return false;
                }
            }).count();
        }
    }

    /** What the system says of this process's mappings of files in the folder, which have no name any more. */
    private Map<String, Long> mapped() throws IOException {
        Map<String, Long> sums = new TreeMap<>();
        boolean ours = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                ours = line.contains(folder + "/" + NamelessFile.PREFIX) && line.endsWith("(deleted)");
            } else if (ours && line.endsWith(" kB")) {
                String[] words = line.split(" +");
                sums.merge(words[0], 1024 * Long.parseLong(words[1]), Long::sum);
            }
        }
        return sums;
    }

    private long total(String key) throws IOException {
        return mapped().get(key);
    }
}
