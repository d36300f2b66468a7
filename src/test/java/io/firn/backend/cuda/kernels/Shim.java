package io.firn.backend.cuda.kernels;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;

/**
 * The kernels as plain C++, through {@code native/cuda/shim}: compiles sources once and runs their calls on this machine,
 * thread by thread, with the argument blocks that a device would get.
 */
public final class Shim {
    private static final Path HEADER = Path.of("native/cuda/shim/shim.h");
    private static final Path BUILT = Path.of("target/shim");
    private static final int COMPILERS = 2;

    private final Map<String, MethodHandle> entries = new HashMap<>();

    /** The order of a grid's blocks and of a block's threads between two barriers. */
    public enum Order { ASCENDING, DESCENDING, SHUFFLED }

    /** What the shim finds wrong, by its number. */
    private static final List<String> FAULTS = List.of("", "a barrier or shuffle was not reached by all threads",
            "shared memory was overrun", "a block has too many threads");

    private Shim() {
    }

    /** Why kernels cannot be compiled here; empty where they can. */
    public static Optional<String> missing() {
        try {
            Process p = new ProcessBuilder("g++", "--version").redirectErrorStream(true).start();
            p.getInputStream().readAllBytes();
            return p.waitFor() == 0 ? Optional.empty() : Optional.of("g++ does not run");
        } catch (IOException e) {
            return Optional.of("no g++ is installed");
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Compiles sources, each once; what was compiled before is found again. */
    public static Shim of(Collection<KernelSource> sources) throws IOException {
        return of(KernelSource.prelude(), sources);
    }

    /** With something else before the sources than what belongs there; simulated ranks may ask for the same at once. */
    static synchronized Shim of(String prelude, Collection<KernelSource> sources) throws IOException {
        Map<String, KernelSource> distinct = new LinkedHashMap<>();
        sources.forEach(s -> distinct.put(s.entry(), s));
        List<List<KernelSource>> units = new ArrayList<>();
        for (int i = 0; i < Math.min(COMPILERS, distinct.size()); i++) {
            units.add(new ArrayList<>());
        }
        distinct.values().forEach(s -> units.get(Math.floorMod(s.entry().hashCode(), units.size())).add(s));
        units.removeIf(List::isEmpty);
        Shim shim = new Shim();
        List<Unit> built = new ArrayList<>();
        for (List<KernelSource> unit : units) {
            built.add(Unit.start(prelude, unit));
        }
        for (Unit unit : built) {
            SymbolLookup library = SymbolLookup.libraryLookup(unit.finish(), Arena.global());
            for (KernelSource s : unit.sources) {
                shim.entries.put(s.entry(), Linker.nativeLinker().downcallHandle(library.findOrThrow("run_" + s.entry()),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS,
                                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG)));
            }
        }
        return shim;
    }

    /** A translation unit that is being compiled, or was already. */
    private record Unit(List<KernelSource> sources, Path library, Path temporary, Process compiler) {
        static Unit start(String prelude, List<KernelSource> sources) throws IOException {
            StringBuilder text = new StringBuilder(Files.readString(HEADER)).append(prelude);
            sources.forEach(s -> text.append(s.body()));
            Files.createDirectories(BUILT);
            String hash = KernelSource.sha256(text.toString());
            Path library = BUILT.resolve(hash + ".so").toAbsolutePath();
            if (Files.exists(library)) {
                return new Unit(sources, library, null, null);
            }
            Path source = Files.writeString(BUILT.resolve(hash + ".cpp"), text);
            Path temporary = BUILT.resolve(hash + "." + ProcessHandle.current().pid() + ".so");
            Process p = new ProcessBuilder("g++", "-std=c++17", "-O1", "-ftrivial-auto-var-init=pattern", "-Wall",
                    "-Wno-unknown-pragmas", "-Wno-sign-compare", "-Wno-unused-variable", "-shared", "-fPIC", "-o",
                    temporary.toString(), source.toString())
                    .redirectErrorStream(true).redirectOutput(BUILT.resolve(hash + ".log").toFile()).start();
            return new Unit(sources, library, temporary, p);
        }

        Path finish() throws IOException {
            if (compiler == null) {
                return library;
            }
            try {
                if (compiler.waitFor() != 0) {
                    String log = Files.readString(Path.of(library.toString().replace(".so", ".log")));
                    throw new IllegalStateException("g++ refuses the kernels:\n" + log.substring(0, Math.min(4000, log.length())));
                }
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return Files.move(temporary, library, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    /**
     * Runs a call to its end.
     *
     * @param address where the operands lie, its table included
     * @throws IllegalStateException where the shim finds a fault in how threads meet or in shared memory
     */
    public void run(KernelCall call, ToLongFunction<Operand> address, Order order, long seed) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment arguments = arena.allocate(call.arguments().size(), Long.BYTES);
            call.arguments().write(arguments, address);
            run(call.source().entry(), call.grid(), arguments, order, seed);
        }
    }

    /** The same with an argument block that is complete. */
    public void run(String entry, KernelCall.Grid g, MemorySegment arguments, Order order, long seed) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment shape = arena.allocateFrom(ValueLayout.JAVA_INT, g.x(), g.y(), g.z(), g.columns(), g.rows());
            int fault = (int) entries.get(entry).invokeExact(arguments, shape, g.shared(), order.ordinal(), seed);
            if (fault != 0) {
                throw new IllegalStateException(entry + ": " + FAULTS.get(fault));
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }
}
