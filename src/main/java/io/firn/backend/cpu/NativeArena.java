package io.firn.backend.cpu;

import io.firn.error.UserError;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A range of zeroed memory from the operating system, in huge pages where it has them (5 % of a step on the machine where
 * it was measured). Pages count as resident only once they are touched.
 */
final class NativeArena implements AutoCloseable {
    private static final long HUGE_PAGE = 2L << 20;
    private static final int READ_WRITE = 3;
    private static final int PRIVATE_ANONYMOUS = 0x22;
    private static final int ADVISE_HUGE_PAGE = 14;
    private static final MethodHandle MMAP = handle("mmap", FunctionDescriptor.of(ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG));
    private static final MethodHandle MADVISE = handle("madvise", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle MUNMAP = handle("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

    private final long mapped;
    private final long mappedBytes;
    private final long address;
    private final long bytes;
    private boolean closed;

    NativeArena(long bytes) {
        this.bytes = bytes;
        mappedBytes = bytes + HUGE_PAGE;
        try {
            mapped = (long) MMAP.invokeExact(0L, mappedBytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
            if (mapped == -1) {
                throw UserError.memory("the system has no %,d MB for the plan; lower --batch or --resolution",
                        bytes >> 20);
            }
            address = Math.ceilDiv(mapped, HUGE_PAGE) * HUGE_PAGE;
            // Only advice: where it is refused, memory still works.
            int ignored = (int) MADVISE.invokeExact(address, bytes, ADVISE_HUGE_PAGE);
        } catch (UserError e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("mmap", t);
        }
    }

    private static MethodHandle handle(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup lookup = linker.defaultLookup();
        return linker.downcallHandle(lookup.find(name).orElseThrow(), type);
    }

    long address() {
        return address;
    }

    /** A view of part of it, which must not be used after {@link #close}. */
    MemorySegment segment(long offset, long size) {
        if (offset < 0 || size < 0 || offset + size > bytes) {
            throw new IndexOutOfBoundsException("%d bytes at %d of %d".formatted(size, offset, bytes));
        }
        return MemorySegment.ofAddress(address + offset).reinterpret(size);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            int status = (int) MUNMAP.invokeExact(mapped, mappedBytes);
            if (status != 0) {
                throw new IllegalStateException("munmap failed");
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("munmap", t);
        }
    }
}
