package io.firn.files;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * Replaces a file whole or not at all: written beside it under another name, flushed to the disk, then renamed, so that
 * neither a crash nor a full disk leaves half a file under its name.
 */
public final class AtomicFile {

    /** Writes a file's content. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel out) throws IOException;
    }

    private AtomicFile() {
    }

    /**
     * Writes {@code content} to {@code target}.
     *
     * @throws UserError (other) where the place is unwritable or the disk full; the target is then as it was
     */
    public static void write(Path target, Content content) {
        if (target.toAbsolutePath().getParent() == null) {
            throw UserError.other("cannot write %s: it is a folder", target);
        }
        try {
            tryWrite(target, content);
        } catch (IOException e) {
            throw UserError.other("cannot write %s: %s", target, reason(e)).causedBy(e);
        }
    }

    /**
     * The same for who can do without the file.
     *
     * @param target in a folder
     * @throws IOException where the place is unwritable or the disk full; the target is then as it was
     */
    public static void tryWrite(Path target, Content content) throws IOException {
        Path folder = target.toAbsolutePath().getParent();
        // Not Files.createTempFile: its files can be read by their owner alone, also after the rename.
        Path beside = folder.resolve("." + target.getFileName() + "." + UUID.randomUUID() + ".tmp");
        try {
            writeFlushed(beside, content);
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(beside);
        }
        flushFolder(folder);
    }

    /** As {@link #write(Path, Content)}, with these bytes. */
    public static void write(Path target, byte[] bytes) {
        write(target, content(bytes));
    }

    /** As {@link #tryWrite(Path, Content)}, with these bytes. */
    public static void tryWrite(Path target, byte[] bytes) throws IOException {
        tryWrite(target, content(bytes));
    }

    private static Content content(byte[] bytes) {
        return out -> {
            ByteBuffer rest = ByteBuffer.wrap(bytes);
            while (rest.hasRemaining()) {
                out.write(rest);
            }
        };
    }

    private static void writeFlushed(Path file, Content content) throws IOException {
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
            content.writeTo(out);
            out.force(true);
        }
    }

    // The new name is an entry of the folder, which is flushed like a file.
    private static void flushFolder(Path folder) throws IOException {
        try (FileChannel c = FileChannel.open(folder, StandardOpenOption.READ)) {
            c.force(true);
        }
    }

    /** What an exception says, without the path that it repeats and in words where it has none of its own. */
    public static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException x -> "no such file or folder";
            case AccessDeniedException x -> "permission denied";
            case FileSystemException x when x.getReason() != null -> x.getReason();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
