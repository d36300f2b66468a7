package io.firn.backend.cuda.kernels;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * NVIDIA's run-time compiler, called without the presets' bindings: those need the driver library, and compiling needs
 * neither driver nor GPU. The kernels include none of CUDA's headers. Safe for use by several threads.
 */
public final class Nvrtc implements KernelCompiler {
    /** Generated parts of a kernel do not use all that it has. */
    private static final String UNUSED_VARIABLES = "-diag-suppress=177";

    private final SymbolLookup library;

    private Nvrtc(SymbolLookup library) {
        this.library = library;
    }

    /**
     * Loads it; it stays loaded.
     *
     * @param library file of {@code libnvrtc}, its {@code -builtins} beside it
     * @throws UserError where one of them does not load
     */
    public static Nvrtc load(Path library) {
        Nvrtc nvrtc = new Nvrtc(lookup(library));
        // It asks for its builtins by name, which finds them in no folder of Python's packages unless they are loaded.
        lookup(library.resolveSibling("libnvrtc-builtins.so." + nvrtc.version()));
        return nvrtc;
    }

    private static SymbolLookup lookup(Path library) {
        try {
            return SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            throw UserError.other("%s of NVRTC does not load: %s", library, e.getMessage()).causedBy(e);
        }
    }

    @Override
    public String version() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment major = arena.allocate(ValueLayout.JAVA_INT);
            MemorySegment minor = arena.allocate(ValueLayout.JAVA_INT);
            check("nvrtcVersion", major, minor);
            return major.get(ValueLayout.JAVA_INT, 0) + "." + minor.get(ValueLayout.JAVA_INT, 0);
        }
    }

    @Override
    public byte[] compile(KernelSource source, String architecture) {
        return compile(source, architecture, new String[0]).cubin();
    }

    /**
     * Compiles to a cubin.
     *
     * @param options further ones of NVRTC's
     */
    Compiled compile(KernelSource source, String architecture, String... options) {
        List<String> all = new ArrayList<>(List.of("-arch=" + architecture, "-std=c++17", UNUSED_VARIABLES));
        all.addAll(List.of(options));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(ValueLayout.ADDRESS);
            check("nvrtcCreateProgram", handle, arena.allocateFrom(source.program()),
                    arena.allocateFrom(source.entry() + ".cu"), 0, MemorySegment.NULL, MemorySegment.NULL);
            MemorySegment program = handle.get(ValueLayout.ADDRESS, 0);
            try {
                MemorySegment list = arena.allocate(ValueLayout.ADDRESS, all.size());
                for (int i = 0; i < all.size(); i++) {
                    list.setAtIndex(ValueLayout.ADDRESS, i, arena.allocateFrom(all.get(i)));
                }
                int status = status("nvrtcCompileProgram", program, all.size(), list);
                byte[] log = output("nvrtcGetProgramLog", program, arena);
                String text = new String(log, 0, Math.max(0, log.length - 1), StandardCharsets.UTF_8);
                if (status != 0) {
                    throw new IllegalStateException("NVRTC refuses %s for %s:%n%s".formatted(source.entry(), architecture, text));
                }
                return new Compiled(output("nvrtcGetCUBIN", program, arena), text);
            } finally {
                check("nvrtcDestroyProgram", handle);
            }
        }
    }

    /** @param cubin a machine-code image for one architecture; {@code log} is what the compiler had to say */
    record Compiled(byte[] cubin, String log) {
    }

    private byte[] output(String function, MemorySegment program, Arena arena) {
        MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
        check(function + "Size", program, size);
        MemorySegment bytes = arena.allocate(size.get(ValueLayout.JAVA_LONG, 0));
        check(function, program, bytes);
        return bytes.toArray(ValueLayout.JAVA_BYTE);
    }

    private void check(String function, Object... arguments) {
        int status = status(function, arguments);
        if (status != 0) {
            throw new IllegalStateException("%s: %s".formatted(function, error(status)));
        }
    }

    private String error(int status) {
        try {
            MemorySegment text = (MemorySegment) Linker.nativeLinker().downcallHandle(library.findOrThrow("nvrtcGetErrorString"),
                    FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT)).invokeExact(status);
            return text.reinterpret(256).getString(0);
        } catch (Throwable t) {
            throw new IllegalStateException("nvrtcGetErrorString", t);
        }
    }

    /** Calls a function of pointers and ints that returns an nvrtcResult, 0 for success. */
    private int status(String function, Object... arguments) {
        MemoryLayout[] types = new MemoryLayout[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = arguments[i] instanceof MemorySegment ? ValueLayout.ADDRESS : ValueLayout.JAVA_INT;
        }
        try {
            return (int) Linker.nativeLinker().downcallHandle(library.findOrThrow(function),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, types)).invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(function, t);
        }
    }
}
