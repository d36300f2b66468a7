package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Reduced;
import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * NCCL: the one gate through which every call to it goes, and every status. Communicators do not block: what takes time, or
 * waits for other ranks, goes on by itself, and nothing else may be asked before {@link #isReady} says so. That is how a rank
 * that never comes can be given up (NCCL's user guide, "Fault Tolerance").
 */
final class Nccl {
    static final int ID_BYTES = 128;
    private static final int IN_PROGRESS = 7;
    private static final int FLOAT = 7;
    private static final int SUM = 0;
    private static final int AVERAGE = 4;
    private static final int TEXT_BYTES = 4096;
    /** NCCL_CONFIG_INITIALIZER of version 2.14, which had {@code blocking} last: the rest is NCCL's own choice. */
    private static final long CONFIG_BYTES = 24;
    private static final int CONFIG_MAGIC = 0xcafebeef;
    private static final int CONFIG_VERSION = 21_400;

    private final NativeFunctions functions;

    /** @throws UserError where a function is missing */
    Nccl(SymbolLookup library) {
        functions = new NativeFunctions(library, NcclFunction.values(), "NCCL lacks %s: Firn needs 2.27 or later");
    }

    /** What the ranks of one communicator have in common: rank 0 makes it, and all get it. */
    byte[] id() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(ID_BYTES);
            check(MemorySegment.NULL, NcclFunction.GET_UNIQUE_ID, id);
            return id.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Begins to join the others, with the GPU that is current. */
    MemorySegment join(byte[] id, int rank, int ranks) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment communicator = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment config = arena.allocate(CONFIG_BYTES, Long.BYTES);
            config.set(ValueLayout.JAVA_LONG, 0, CONFIG_BYTES);
            config.set(ValueLayout.JAVA_INT, 8, CONFIG_MAGIC);
            config.set(ValueLayout.JAVA_INT, 12, CONFIG_VERSION);
            config.set(ValueLayout.JAVA_INT, 16, 0);
            check(MemorySegment.NULL, NcclFunction.INIT_RANK, communicator, ranks,
                    arena.allocateFrom(ValueLayout.JAVA_BYTE, id), rank, config);
            return communicator.get(ValueLayout.ADDRESS, 0);
        }
    }

    /** @throws UserError what went wrong since, here or, as far as NCCL knows, with another rank */
    boolean isReady(MemorySegment communicator) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(ValueLayout.JAVA_INT);
            check(communicator, NcclFunction.ASYNC_ERROR, communicator, state);
            int status = state.get(ValueLayout.JAVA_INT, 0);
            if (status != 0 && status != IN_PROGRESS) {
                throw failed("NCCL", communicator, status);
            }
            return status == 0;
        }
    }

    /** Replaces elements by their sums or means over the ranks, all in one launch. */
    void allReduce(MemorySegment communicator, List<Reduced> parts, boolean mean, MemorySegment stream) {
        check(communicator, NcclFunction.GROUP_START);
        try {
            for (Reduced r : parts) {
                check(communicator, NcclFunction.ALL_REDUCE, MemorySegment.ofAddress(r.from()),
                        MemorySegment.ofAddress(r.to()), r.elements(), FLOAT, mean ? AVERAGE : SUM, communicator, stream);
            }
        } catch (RuntimeException e) {
            // A group that is left open would swallow every later call; that it fails as well tells nothing new.
            functions.status(NcclFunction.GROUP_END);
            throw e;
        }
        check(communicator, NcclFunction.GROUP_END);
    }

    /** Begins to end in peace, which all ranks do together. */
    void finish(MemorySegment communicator) {
        check(communicator, NcclFunction.FINALIZE, communicator);
    }

    /** Gives back what has ended in peace. */
    void destroy(MemorySegment communicator) {
        check(MemorySegment.NULL, NcclFunction.DESTROY, communicator);
    }

    /** Ends it at once: kernels that wait for other ranks give up. */
    void abort(MemorySegment communicator) {
        check(MemorySegment.NULL, NcclFunction.ABORT, communicator);
    }

    /** @param communicator whose own words there may be; null where there is none, or none any more */
    private void check(MemorySegment communicator, NcclFunction f, Object... arguments) {
        int status = functions.status(f, arguments);
        if (status != 0 && status != IN_PROGRESS) {
            throw failed(f.symbol(), communicator, status);
        }
    }

    private UserError failed(String what, MemorySegment communicator, int status) {
        String more = functions.text(NcclFunction.LAST_ERROR, TEXT_BYTES, communicator).strip().replaceAll("\\s*\n\\s*", "; ");
        return UserError.other("%s: %s%s", what, functions.text(NcclFunction.ERROR_STRING, TEXT_BYTES, status),
                more.isEmpty() ? "" : " (" + more + ")");
    }
}
