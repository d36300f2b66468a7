package io.firn.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/** Calls a native library's functions by name, without any binding: what is asked before bindings may be loaded. */
record Calls(SymbolLookup library, Arena arena) {

    /** Calls a function of pointers and ints that returns a status. */
    int status(String function, Object... arguments) throws Throwable {
        return (int) invoke(ValueLayout.JAVA_INT, function, arguments);
    }

    /** Calls a function of pointers and ints that returns a {@code size_t}. */
    long size(String function, Object... arguments) throws Throwable {
        return (long) invoke(ValueLayout.JAVA_LONG, function, arguments);
    }

    private Object invoke(MemoryLayout result, String function, Object... arguments) throws Throwable {
        MemoryLayout[] types = new MemoryLayout[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = arguments[i] instanceof MemorySegment ? ValueLayout.ADDRESS : ValueLayout.JAVA_INT;
        }
        return Linker.nativeLinker().downcallHandle(library.findOrThrow(function), FunctionDescriptor.of(result, types))
                .invokeWithArguments(arguments);
    }
}
