package io.firn.backend.cpu;

import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/** Sets how many threads oneDNN's OpenMP library uses. */
final class OpenMp {
    private final MethodHandle setThreads;

    /** Finds the library that oneDNN has loaded into this process. */
    OpenMp() {
        String library;
        try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
            // Another process may have renewed the cache of libraries: the linker knows what is loaded by its name still.
            library = maps.map(line -> line.replaceFirst(" \\(deleted\\)$", ""))
                    .map(line -> line.substring(line.lastIndexOf(' ') + 1))
                    .filter(p -> p.startsWith("/") && p.contains("libgomp")).findFirst()
                    .orElseThrow(() -> UserError.other("oneDNN has loaded no OpenMP library: its threads cannot be set"));
        } catch (IOException e) {
            throw UserError.other("cannot read /proc/self/maps: %s", e.getMessage()).causedBy(e);
        }
        setThreads = Linker.nativeLinker().downcallHandle(
                SymbolLookup.libraryLookup(library, Arena.global()).find("omp_set_num_threads").orElseThrow(),
                FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
    }

    /** For parallel regions that the calling thread starts from now on. */
    void threads(int n) {
        try {
            setThreads.invokeExact(n);
        } catch (Throwable t) {
            throw new IllegalStateException("omp_set_num_threads", t);
        }
    }
}
