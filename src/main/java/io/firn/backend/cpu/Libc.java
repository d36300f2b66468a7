package io.firn.backend.cpu;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The C library's calls that map memory, and how others of it are found. */
final class Libc {
    /** What is written there is the file's. */
    static final int SHARED = 1;
    /** What is written there stays in this mapping. */
    static final int PRIVATE = 2;
    /** At that address, in place of what is mapped there. */
    static final int FIXED = 0x10;
    /** Zeros without a file. */
    static final int ANONYMOUS = 0x20;
    static final int ADVISE_UNNEEDED = 4;
    static final int ADVISE_HUGE_PAGES = 14;

    private static final int READ_WRITE = 3;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final MethodHandle MMAP = handle("mmap", LONG, LONG, LONG, INT, INT, INT, LONG);
    private static final MethodHandle MADVISE = handle("madvise", INT, LONG, LONG, INT);
    private static final MethodHandle MUNMAP = handle("munmap", INT, LONG, LONG);

    private Libc() {
    }

    static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... arguments) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(result, arguments));
    }

    /**
     * Maps memory that can be read and written.
     *
     * @param flags among those above
     * @return its address; -1 where the system refuses
     */
    static long mmap(long address, long bytes, int flags, int file, long offset) {
        try {
            return (long) MMAP.invokeExact(address, bytes, READ_WRITE, flags, file, offset);
        } catch (Throwable t) {
            throw new IllegalStateException("mmap", t);
        }
    }

    /** Tells the system how memory is used. Only advice: where it is refused, memory still works. */
    static void madvise(long address, long bytes, int advice) {
        try {
            int ignored = (int) MADVISE.invokeExact(address, bytes, advice);
        } catch (Throwable t) {
            throw new IllegalStateException("madvise", t);
        }
    }

    static void munmap(long address, long bytes) {
        int status;
        try {
            status = (int) MUNMAP.invokeExact(address, bytes);
        } catch (Throwable t) {
            throw new IllegalStateException("munmap", t);
        }
        if (status != 0) {
            throw new IllegalStateException("munmap failed");
        }
    }
}
