package io.firn.backend.cuda;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/** The CUDA driver library: the one gate through which every call to it goes, and every status. */
final class Driver {
    private static final int OUT_OF_MEMORY = 2;
    private static final int NOT_READY = 600;
    private static final int TEXT_BYTES = 512;

    private final NativeFunctions functions;

    /** @throws UserError where a function is missing */
    Driver(SymbolLookup library) {
        functions = new NativeFunctions(library, DriverFunction.values(),
                "the driver library lacks %s: Firn needs a driver for CUDA 13.0 or later (R580)");
    }

    /**
     * Calls and checks.
     *
     * @throws UserError naming the function, with the driver's own words
     */
    void call(DriverFunction f, Object... arguments) {
        check(f, functions.status(f, arguments));
    }

    /** Calls a function that asks whether something is done. */
    boolean isDone(DriverFunction f, Object... arguments) {
        int status = functions.status(f, arguments);
        if (status == NOT_READY) {
            return false;
        }
        check(f, status);
        return true;
    }

    private void check(DriverFunction f, int status) {
        if (status == 0) {
            return;
        }
        String said = "%s: %s, %s".formatted(f.symbol(), text(DriverFunction.GET_ERROR_NAME, status),
                text(DriverFunction.GET_ERROR_STRING, status));
        throw status == OUT_OF_MEMORY ? UserError.memory("%s", said) : UserError.other("%s", said);
    }

    private String text(DriverFunction f, int status) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
            if (functions.status(f, status, pointer) != 0) {
                return "error " + status;
            }
            return pointer.get(ValueLayout.ADDRESS, 0).reinterpret(TEXT_BYTES).getString(0);
        }
    }
}
