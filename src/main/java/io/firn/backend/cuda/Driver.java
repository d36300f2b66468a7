package io.firn.backend.cuda;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * The CUDA driver library: the one gate through which every call to it goes, and every status. A function that it lacks is
 * told before anything is called, where a binding would end the process.
 */
final class Driver {
    private static final int OUT_OF_MEMORY = 2;
    private static final int TEXT_BYTES = 512;

    private final Map<DriverFunction, MethodHandle> functions = new EnumMap<>(DriverFunction.class);

    /** @throws UserError where a function is missing */
    Driver(SymbolLookup library) {
        for (DriverFunction f : DriverFunction.values()) {
            Optional<MemorySegment> address = library.find(f.symbol());
            if (address.isEmpty()) {
                throw UserError.other("the driver library lacks %s: Firn needs a driver for CUDA 13.0 or later (R580)",
                        f.symbol());
            }
            functions.put(f, Linker.nativeLinker().downcallHandle(address.get(), f.type()).asSpreader(Object[].class, f.arity())
                    .asType(MethodType.methodType(int.class, Object[].class)));
        }
    }

    /**
     * Calls and checks.
     *
     * @throws UserError naming the function, with the driver's own words
     */
    void call(DriverFunction f, Object... arguments) {
        int status = status(f, arguments);
        if (status == 0) {
            return;
        }
        String said = "%s: %s, %s".formatted(f.symbol(), text(DriverFunction.GET_ERROR_NAME, status),
                text(DriverFunction.GET_ERROR_STRING, status));
        throw status == OUT_OF_MEMORY ? UserError.memory("%s", said) : UserError.other("%s", said);
    }

    private int status(DriverFunction f, Object... arguments) {
        try {
            return (int) functions.get(f).invokeExact(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(f.symbol(), t);
        }
    }

    private String text(DriverFunction f, int status) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
            if (status(f, status, pointer) != 0) {
                return "error " + status;
            }
            return pointer.get(ValueLayout.ADDRESS, 0).reinterpret(TEXT_BYTES).getString(0);
        }
    }
}
