package io.firn.backend.cpu;

import io.firn.error.UserError;
import java.lang.foreign.MemorySegment;

/**
 * A range of zeroed memory from the operating system, in huge pages where it has them (5 % of a step on the machine where
 * it was measured). Pages count as resident only once they are touched.
 */
final class NativeArena implements AutoCloseable {
    private static final long HUGE_PAGE = 2L << 20;

    private final long mapped;
    private final long mappedBytes;
    private final long address;
    private final long bytes;
    private boolean closed;

    NativeArena(long bytes) {
        this.bytes = bytes;
        mappedBytes = bytes + HUGE_PAGE;
        mapped = Libc.mmap(0, mappedBytes, Libc.PRIVATE | Libc.ANONYMOUS, -1, 0);
        if (mapped == -1) {
            throw UserError.memory("the system has no %,d MB for the plan; lower --batch or --resolution", bytes >> 20);
        }
        address = Math.ceilDiv(mapped, HUGE_PAGE) * HUGE_PAGE;
        Libc.madvise(address, bytes, Libc.ADVISE_HUGE_PAGES);
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
        if (!closed) {
            closed = true;
            Libc.munmap(mapped, mappedBytes);
        }
    }
}
