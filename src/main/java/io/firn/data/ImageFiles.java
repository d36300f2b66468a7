package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/** Finding image files: which names count, in what order they come, and whether they are gray. */
final class ImageFiles {
    private static final Set<String> EXTENSIONS = Set.of("png", "jpg", "jpeg", "webp", "bmp");
    /** How many files' headers decide whether a folder is gray. */
    private static final int SAMPLED = 64;
    /** Enough for the header behind a camera's EXIF thumbnail. */
    private static final int HEADER_BYTES = 1 << 17;

    private ImageFiles() {
    }

    /** A file and its length in bytes. */
    record Entry(Path path, long bytes) {
    }

    /** Whether a file's name makes it an image; hidden files (which file managers leave) never are. */
    static boolean isImage(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return dot > 0 && !name.startsWith(".") && isImage(name.substring(dot + 1));
    }

    /** Whether that is an image file's extension. */
    static boolean isImage(String extension) {
        return EXTENSIONS.contains(extension.toLowerCase(Locale.ROOT));
    }

    /** The folders directly inside a folder, by name; hidden ones and {@code __MACOSX} left out. */
    static List<Path> folders(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(Files::isDirectory).filter(entry -> !isHidden(entry))
                    .sorted(Comparator.comparing(entry -> entry.getFileName().toString())).toList();
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
    }

    /** All images below a folder; in torchvision's order: by folder, then by name. Links are followed. */
    static List<Entry> below(Path folder) {
        List<Entry> found = new ArrayList<>();
        try {
            Files.walkFileTree(folder, EnumSet.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path entry, BasicFileAttributes attributes) {
                    return !entry.equals(folder) && isHidden(entry) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    if (isImage(file) && !attributes.isDirectory()) {
                        found.add(new Entry(file, attributes.size()));
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (FileSystemLoopException e) {
            throw UserError.data("%s is a link to a folder above it: remove the link", e.getFile());
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
        found.sort(Comparator.comparing((Entry entry) -> entry.path.getParent().toString()).thenComparing(entry -> entry.path.getFileName().toString()));
        return found;
    }

    /** 1 where a sample of the files, evenly spaced, is gray throughout; else 3. A file that says nothing counts as colour. */
    static int channels(List<Path> files) {
        return channels(files.size(), (i, bytes) -> {
            try (InputStream in = Files.newInputStream(files.get(i))) {
                return in.readNBytes(bytes);
            } catch (IOException e) {
                throw new DamagedImage(files.get(i).toString(), "cannot be read: " + e.getMessage());
            }
        });
    }

    /** The first bytes of an image file. */
    @FunctionalInterface
    interface Head {
        byte[] of(int index, int most) throws DamagedImage;
    }

    /** The same for files that lie elsewhere. */
    static int channels(int count, Head head) {
        int step = Math.max(1, count / SAMPLED);
        for (int i = 0; i < count; i += step) {
            try {
                if (!ImageHeader.read(head.of(i, HEADER_BYTES), "").gray()) {
                    return 3;
                }
            } catch (DamagedImage _) {
                // A damaged file is told of when it is decoded; it must not decide about the others.
                continue;
            }
        }
        return count == 0 ? 3 : 1;
    }

    private static boolean isHidden(Path folder) {
        String name = folder.getFileName().toString();
        return name.startsWith(".") || name.equals("__MACOSX");
    }
}
