package io.firn.backend.cuda;

import io.firn.error.UserError;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Functions of a native library, called by name without any binding: one that is lacking is told before anything is called,
 * where a binding would end the process.
 */
final class NativeFunctions {

    /** Of a library, under the name that it exports. */
    interface Function {
        String symbol();

        /**
         * A letter for each parameter: p a pointer or handle, l a device address or size, i an int, b a byte, u 128 bytes by
         * value (an {@code ncclUniqueId}).
         */
        String parameters();

        /** The same for the result. */
        default char result() {
            return 'i';
        }
    }

    private final Map<Function, MethodHandle> handles = new HashMap<>();

    /** @throws UserError with {@code lacking}, in which {@code %s} is the missing function */
    NativeFunctions(SymbolLookup library, Function[] functions, String lacking) {
        for (Function f : functions) {
            Optional<MemorySegment> address = library.find(f.symbol());
            if (address.isEmpty()) {
                throw UserError.other(lacking, f.symbol());
            }
            handles.put(f, Linker.nativeLinker().downcallHandle(address.get(), type(f))
                    .asSpreader(Object[].class, f.parameters().length())
                    .asType(MethodType.methodType(f.result() == 'i' ? int.class : MemorySegment.class, Object[].class)));
        }
    }

    private static FunctionDescriptor type(Function f) {
        return FunctionDescriptor.of(layout(f.result()), f.parameters().chars().mapToObj(c -> layout((char) c))
                .toArray(MemoryLayout[]::new));
    }

    private static MemoryLayout layout(char letter) {
        return switch (letter) {
            case 'p' -> ValueLayout.ADDRESS;
            case 'l' -> ValueLayout.JAVA_LONG;
            case 'i' -> ValueLayout.JAVA_INT;
            case 'b' -> ValueLayout.JAVA_BYTE;
            case 'u' -> MemoryLayout.structLayout(MemoryLayout.sequenceLayout(Nccl.ID_BYTES, ValueLayout.JAVA_BYTE));
            default -> throw new IllegalStateException("no parameter is " + letter);
        };
    }

    @FunctionalInterface
    private interface Call<T> {
        T run() throws Throwable;
    }

    private static <T> T call(Function f, Call<T> call) {
        try {
            return call.run();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(f.symbol(), t);
        }
    }

    /** Calls a function that returns a status. */
    int status(Function f, Object... arguments) {
        return call(f, () -> (int) handles.get(f).invokeExact(arguments));
    }

    /** Calls a function that returns a text; at most so many bytes of it are read. */
    String text(Function f, int most, Object... arguments) {
        return call(f, () -> {
            MemorySegment text = (MemorySegment) handles.get(f).invokeExact(arguments);
            return text.address() == 0 ? "" : text.reinterpret(most).getString(0);
        });
    }
}
