package io.firn.backend.cpu;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * A file of zeros whose name is gone once it is there, so that its room ends with it or with the process, however that
 * ends. What lies in it is written by calls, which say where a disk has no room, and read through mappings.
 */
final class NamelessFile implements AutoCloseable {
    /** Begins its name for the moment that it has one. */
    static final String PREFIX = ".firn-states-";
    /** Files there are memory themselves. */
    private static final Set<String> IN_MEMORY = Set.of("tmpfs", "ramfs");
    private static final int CLOSE_ON_EXEC = 0x80000;
    /** Bytes that are copied off Java's heap at a time. */
    private static final long PIECE = 1 << 20;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final MethodHandle MKOSTEMP = Libc.handle("mkostemp", INT, ValueLayout.ADDRESS, INT);
    private static final MethodHandle UNLINK = Libc.handle("unlink", INT, ValueLayout.ADDRESS);
    private static final MethodHandle FALLOCATE = Libc.handle("fallocate", INT, INT, INT, LONG, LONG);
    private static final MethodHandle PWRITE = Libc.handle("pwrite", LONG, INT, ValueLayout.ADDRESS, LONG, LONG);
    private static final MethodHandle CLOSE = Libc.handle("close", INT, INT);

    private final int descriptor;
    private boolean closed;

    /** @param descriptor of an open file, which becomes this one's to close */
    NamelessFile(int descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Makes one on a disk, with room that nobody else can take; empty where the folder is in memory or not there, the
     * disk is full, or its file system cannot set room aside.
     */
    static Optional<NamelessFile> create(Path folder, long bytes) {
        if (!onDisk(folder)) {
            return Optional.empty();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(folder.toAbsolutePath().resolve(PREFIX + "XXXXXX").toString());
            int descriptor = (int) MKOSTEMP.invokeExact(name, CLOSE_ON_EXEC);
            if (descriptor < 0) {
                return Optional.empty();
            }
            NamelessFile file = new NamelessFile(descriptor);
            if ((int) UNLINK.invokeExact(name) != 0 || (int) FALLOCATE.invokeExact(descriptor, 0, 0L, bytes) != 0) {
                file.close();
                return Optional.empty();
            }
            return Optional.of(file);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("mkostemp, unlink or fallocate", t);
        }
    }

    private static boolean onDisk(Path folder) {
        try {
            return !IN_MEMORY.contains(Files.getFileStore(folder).type());
        } catch (IOException e) {
            // Not there, or on what the system does not describe: no place for a file either way.
            return false;
        }
    }

    /**
     * Maps part of it in place of what is mapped at that address.
     *
     * @param how {@link Libc#SHARED}, or {@link Libc#PRIVATE}: then what is written there stays in memory
     * @return whether it could be; if not, what was mapped there may be gone
     */
    boolean map(long address, long bytes, long offset, int how) {
        return Libc.mmap(address, bytes, how | Libc.FIXED, descriptor, offset) == address;
    }

    /** Replaces part of it; whether there was room for all. Mappings show it. */
    boolean write(MemorySegment from, long offset) {
        long bytes = from.byteSize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(Math.min(PIECE, bytes));
            long written;
            for (long at = 0; at < bytes; at += written) {
                long n = Math.min(piece.byteSize(), bytes - at);
                MemorySegment.copy(from, at, piece, 0, n);
                written = (long) PWRITE.invokeExact(descriptor, piece, n, offset + at);
                if (written <= 0) {
                    return false;
                }
            }
            return true;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("pwrite", t);
        }
    }

    /** Mappings last longer. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            int ignored = (int) CLOSE.invokeExact(descriptor);
        } catch (Throwable t) {
            throw new IllegalStateException("close", t);
        }
    }
}
