package io.firn.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Named ranges for NVIDIA's profilers: NVTX, where its library was found; elsewhere nothing is named. */
final class Nvtx {
    static final String PUSH = "nvtxRangePushA";
    static final String POP = "nvtxRangePop";

    private final Optional<Functions> functions;
    private final Arena arena = Arena.ofAuto();
    /** As the library takes them; made once, since a step allocates nothing. */
    private final Map<String, MemorySegment> names = new HashMap<>();

    /** Both return the depth of ranges, or less than 0 where nobody profiles. */
    private record Functions(MethodHandle push, MethodHandle pop) {
    }

    private Nvtx(Optional<Functions> functions) {
        this.functions = functions;
    }

    static Nvtx off() {
        return new Nvtx(Optional.empty());
    }

    /** @param library that was found to have both functions; stays loaded, since profilers hook into it */
    static Nvtx of(Path library) {
        return of(SymbolLookup.libraryLookup(library, Arena.global()));
    }

    static Nvtx of(SymbolLookup library) {
        Linker linker = Linker.nativeLinker();
        return new Nvtx(Optional.of(new Functions(
                linker.downcallHandle(library.findOrThrow(PUSH), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS)),
                linker.downcallHandle(library.findOrThrow(POP), FunctionDescriptor.of(ValueLayout.JAVA_INT)))));
    }

    void push(String name) {
        if (functions.isPresent()) {
            MemorySegment text = names.computeIfAbsent(name, arena::allocateFrom);
            call(() -> (int) functions.get().push.invokeExact(text));
        }
    }

    void pop() {
        if (functions.isPresent()) {
            call(() -> (int) functions.get().pop.invokeExact());
        }
    }

    @FunctionalInterface
    private interface Call {
        int run() throws Throwable;
    }

    private static void call(Call call) {
        try {
            call.run();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }
}
