package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarFile;

/**
 * Where the samples of a tar file lie in it.
 *
 * @param bytes   of the file
 * @param samples in the file's order
 */
record TarIndex(Path file, long bytes, List<Sample> samples) {
    /** No class has a longer name. */
    private static final int LABEL_BYTES = 256;
    /** Tar files are made of blocks of that size. */
    private static final int BLOCK = 512;

    /**
     * An image with its label.
     *
     * @param name   of the image's member
     * @param offset of its first byte in the tar file
     * @param label  what the {@code .cls} member says; null where it is not asked for
     */
    record Sample(String name, long offset, int length, String label) {
    }

    /** The members of one sample as they come. */
    private static final class Parts {
        private String key = "";
        private TarArchiveEntry image;
        private String label;
    }

    /**
     * Reads the headers and labels of a tar file.
     *
     * @param labelled whether samples without a label are left out
     * @param say      told how many samples were left out, and why the first of them was
     */
    static TarIndex read(Path file, boolean labelled, Consumer<String> say) {
        try {
            long bytes = Files.size(file);
            List<Sample> samples = new ArrayList<>();
            List<String> left = new ArrayList<>();
            try (TarFile tar = new TarFile(file)) {
                checkEnd(file, tar.getEntries(), bytes);
                Parts parts = new Parts();
                for (TarArchiveEntry entry : tar.getEntries()) {
                    if (!entry.isFile() || entry.isSparse()) {
                        continue;
                    }
                    String name = entry.getName();
                    int dot = name.indexOf('.', name.lastIndexOf('/') + 1);
                    String key = dot < 0 ? name : name.substring(0, dot);
                    if (!key.equals(parts.key)) {
                        finish(parts, labelled, samples, left);
                        parts = new Parts();
                        parts.key = key;
                    }
                    String extension = dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT);
                    if (ImageFiles.isImage(extension)) {
                        parts.image = entry;
                    } else if (extension.equals("cls") && labelled) {
                        parts.label = label(tar, entry);
                    }
                }
                finish(parts, labelled, samples, left);
            }
            if (!left.isEmpty()) {
                say.accept("%s: %,d samples are left out, the first because %s".formatted(file, left.size(), left.getFirst()));
            }
            return new TarIndex(file, bytes, List.copyOf(samples));
        } catch (NoSuchFileException e) {
            throw UserError.data("no such file: %s", file).causedBy(e);
        } catch (IOException | IllegalArgumentException | ArithmeticException | IndexOutOfBoundsException e) {
            // The last three are how the library meets headers that make no sense.
            throw UserError.data("%s is damaged or no tar file (%s): make or fetch it again", file, e.getMessage()).causedBy(e);
        }
    }

    private static void finish(Parts parts, boolean labelled, List<Sample> samples, List<String> left) {
        if (parts.key.isEmpty()) {
            return;
        }
        if (parts.image == null) {
            left.add(parts.key + " has no image");
        } else if (labelled && parts.label == null) {
            left.add(parts.key + " has no label (.cls)");
        } else if (parts.image.getSize() > Decoder.MOST_BYTES) {
            left.add("%s has %,d bytes, more than the %,d that Firn reads".formatted(parts.image.getName(), parts.image.getSize(),
                    Decoder.MOST_BYTES));
        } else {
            samples.add(new Sample(parts.image.getName(), parts.image.getDataOffset(), (int) parts.image.getSize(), parts.label));
        }
    }

    /** Every member must lie in the file, whatever its header says, and so must the blocks of zeros that end a tar file. */
    private static void checkEnd(Path file, List<TarArchiveEntry> entries, long bytes) {
        if (entries.isEmpty()) {
            throw UserError.data("%s holds no member: it is empty, cut off or no tar file", file);
        }
        for (TarArchiveEntry entry : entries) {
            long end = entry.getDataOffset() + entry.getSize();
            if (entry.getSize() < 0 || end < entry.getDataOffset() || end > bytes) {
                throw UserError.data("%s is cut off: %s should reach byte %,d, and the file has %,d; make or fetch it again", file,
                        entry.getName(), end, bytes);
            }
        }
        TarArchiveEntry last = entries.getLast();
        long padded = Math.ceilDiv(last.getDataOffset() + last.getSize(), BLOCK) * BLOCK;
        if (padded + BLOCK > bytes) {
            throw UserError.data("%s is cut off behind %s: the blocks that end a tar file are missing; make or fetch it again", file,
                    last.getName());
        }
    }

    /** The text, or null where that is none. */
    private static String label(TarFile tar, TarArchiveEntry entry) throws IOException {
        try (InputStream in = tar.getInputStream(entry)) {
            byte[] bytes = in.readNBytes(LABEL_BYTES + 1);
            String text = new String(bytes, StandardCharsets.UTF_8).strip();
            return bytes.length > LABEL_BYTES || text.isEmpty() || text.indexOf('\uFFFD') >= 0 || text.contains("\n") ? null : text;
        }
    }
}
