package io.firn.train;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Replaces a folder whole or not at all (for one file: {@link io.firn.files.AtomicFile}): written beside, flushed to
 * the disk, then renamed. What was there before stays until then.
 */
public final class AtomicFolder {
    private AtomicFolder() {
    }

    /** Writes files into the folder that it is given. */
    @FunctionalInterface
    public interface Content {
        void writeTo(Path folder) throws IOException;
    }

    /**
     * Makes or replaces a folder. Linux renames no folder over a full one, so the old one steps aside first; where the
     * process is killed just then, {@link #recover} puts it back.
     *
     * @throws UserError (other) where the place is unwritable or the disk full; the folder is then as it was
     */
    public static void write(Path target, Content content) {
        Path beside = beside(target, ".tmp");
        Path old = beside(target, ".old");
        recover(target);
        try {
            deleteTree(beside);
            Files.createDirectory(beside);
            content.writeTo(beside);
            for (Path p : tree(beside)) {
                flush(p);
            }
            if (Files.exists(target)) {
                Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
            flush(target.toAbsolutePath().getParent());
        } catch (IOException e) {
            throw cannotWrite(target, e);
        } finally {
            deleteTree(beside);
            recover(target);
        }
    }

    /** Puts back what an interrupted {@link #write} left under another name. To be called before reading. */
    public static void recover(Path target) {
        Path old = beside(target, ".old");
        try {
            if (Files.exists(old) && !Files.exists(target)) {
                Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
            }
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
        deleteTree(old);
    }

    /** The error of a place that cannot be written, in words: no space left on device, permission denied, … */
    static UserError cannotWrite(Path path, IOException e) {
        String why = switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "its folder does not exist";
            case FileAlreadyExistsException x -> x.getFile() + " is a file";
            case FileSystemException x when x.getReason() != null -> x.getReason();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
        return UserError.other("cannot write %s: %s", path, why).causedBy(e);
    }

    /** Hidden, so that nobody takes it for a result; in the same folder, since renaming works within a file system. */
    private static Path beside(Path path, String suffix) {
        return path.resolveSibling("." + path.getFileName() + suffix);
    }

    private static void flush(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path)) {
            channel.force(true);
        }
    }

    /** What lies below a folder and the folder itself, children first. */
    private static List<Path> tree(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            return paths.sorted(Comparator.reverseOrder()).toList();
        }
    }

    /** Deletes what is there as far as it can: it runs where another failure may already be on its way. */
    private static void deleteTree(Path root) {
        try {
            if (Files.exists(root)) {
                for (Path p : tree(root)) {
                    Files.deleteIfExists(p);
                }
            }
        } catch (IOException e) {
            // A leftover is hidden, and the next write replaces it.
        }
    }
}
