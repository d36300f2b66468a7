package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * CIFAR-10 and CIFAR-100 in their "binary version": records of one label byte (CIFAR-100: coarse, then fine) and
 * 32x32 red, green and blue planes. CIFAR-100's fine labels count. Held in memory.
 */
public final class CifarBinary implements Dataset {
    private static final int SIDE = 32;
    private static final int PLANE = SIDE * SIDE;

    /** Which of the two, with the bytes before the pixels of a record. */
    private enum Kind {
        CIFAR_10(1, 10, "batches.meta.txt", Normalization.CIFAR_10), CIFAR_100(2, 100, "fine_label_names.txt", Normalization.CIFAR_100);

        private final int labelBytes;
        private final int classes;
        private final String names;
        private final Normalization normalization;

        Kind(int labelBytes, int classes, String names, Normalization normalization) {
            this.labelBytes = labelBytes;
            this.classes = classes;
            this.names = names;
            this.normalization = normalization;
        }

        int record() {
            return labelBytes + 3 * PLANE;
        }
    }

    /** One file and the number of its first image in the set. */
    private record Part(Path path, byte[] bytes, int first) {
    }

    private final String name;
    private final Kind kind;
    private final List<Part> parts;
    private final int size;
    private final List<String> classes;

    private CifarBinary(String name, Kind kind, List<Path> files, List<String> classes) {
        this.name = name;
        this.kind = kind;
        this.classes = classes;
        List<Part> read = new ArrayList<>();
        int count = 0;
        for (Path file : files) {
            Part part = new Part(file, read(file, kind), count);
            read.add(part);
            count += part.bytes.length / kind.record();
        }
        this.parts = List.copyOf(read);
        this.size = count;
        for (int i = 0; i < size; i++) {
            if (label(i) >= kind.classes) {
                throw UserError.data("label %d at %s is out of range: there are %d classes; fetch the file again", label(i), describe(i), kind.classes);
            }
        }
    }

    /** Whether a folder holds files of this kind. */
    static boolean matches(Path folder) {
        return !list(folder, "data_batch_\\d+\\.bin|test_batch\\.bin").isEmpty() || Files.isRegularFile(folder.resolve(Kind.CIFAR_100.names));
    }

    /**
     * Opens {@code cifar-10-batches-bin} ({@code data_batch_1.bin} … and {@code test_batch.bin}) or
     * {@code cifar-100-binary} ({@code train.bin}, {@code test.bin}).
     *
     * @throws UserError where files are missing or damaged
     */
    public static Splits open(Path folder) {
        Kind kind = Files.isRegularFile(folder.resolve(Kind.CIFAR_100.names)) ? Kind.CIFAR_100 : Kind.CIFAR_10;
        List<Path> train = list(folder, kind == Kind.CIFAR_10 ? "data_batch_\\d+\\.bin" : "train\\.bin");
        List<Path> test = list(folder, kind == Kind.CIFAR_10 ? "test_batch\\.bin" : "test\\.bin");
        if (train.isEmpty()) {
            throw UserError.data("%s holds no %s: fetch the training files, or give one .bin file itself", folder,
                    kind == Kind.CIFAR_10 ? "data_batch_*.bin" : "train.bin");
        }
        List<String> classes = classes(folder, kind);
        return new Splits(new CifarBinary(folder.toString(), kind, train, classes),
                test.isEmpty() ? Optional.empty() : Optional.of(new CifarBinary(folder.toString(), kind, test, classes)));
    }

    /**
     * Opens one {@code .bin} file; it is CIFAR-100's where {@code fine_label_names.txt} lies beside it.
     *
     * @throws UserError where it is damaged
     */
    public static CifarBinary openFile(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        Kind kind = Files.isRegularFile(folder.resolve(Kind.CIFAR_100.names)) ? Kind.CIFAR_100 : Kind.CIFAR_10;
        return new CifarBinary(file.toString(), kind, List.of(file), classes(folder, kind));
    }

    private static byte[] read(Path file, Kind kind) {
        try {
            long length = Files.size(file);
            if (length == 0 || length % kind.record() != 0 || length > Integer.MAX_VALUE - 16) {
                throw UserError.data("%s has %,d bytes, which is not a whole number of images of %,d bytes: it is truncated or no %s file, fetch it again",
                        file, length, kind.record(), kind == Kind.CIFAR_10 ? "CIFAR-10" : "CIFAR-100");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", file, e).causedBy(e);
        }
    }

    private static List<String> classes(Path folder, Kind kind) {
        Path file = folder.resolve(kind.names);
        if (!Files.isRegularFile(file)) {
            return IntStream.range(0, kind.classes).mapToObj(Integer::toString).toList();
        }
        try (Stream<String> lines = Files.lines(file, StandardCharsets.UTF_8)) {
            List<String> names = lines.map(String::strip).filter(line -> !line.isEmpty()).toList();
            if (names.size() != kind.classes) {
                throw UserError.data("%s lists %d classes instead of %d: fetch it again", file, names.size(), kind.classes);
            }
            return names;
        } catch (IOException | java.io.UncheckedIOException e) {
            throw UserError.data("%s cannot be read: %s", file, e).causedBy(e);
        }
    }

    private static List<Path> list(Path folder, String pattern) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().matches(pattern)).sorted().toList();
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
    }

    private Part part(int index) {
        int last = parts.size() - 1;
        while (parts.get(last).first > index) {
            last--;
        }
        return parts.get(last);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<String> classes() {
        return classes;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int channels() {
        return 3;
    }

    @Override
    public int label(int index) {
        Part part = part(index);
        return part.bytes[(index - part.first) * kind.record() + kind.labelBytes - 1] & 0xFF;
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.of(new Size(SIDE, SIDE));
    }

    @Override
    public String describe(int index) {
        Part part = part(index);
        return "index %d of %s".formatted(index - part.first, part.path);
    }

    @Override
    public Image image(int index) {
        Part part = part(index);
        int from = (index - part.first) * kind.record() + kind.labelBytes;
        byte[] pixels = new byte[3 * PLANE];
        for (int i = 0; i < PLANE; i++) {
            pixels[3 * i] = part.bytes[from + i];
            pixels[3 * i + 1] = part.bytes[from + PLANE + i];
            pixels[3 * i + 2] = part.bytes[from + 2 * PLANE + i];
        }
        return new Image(SIDE, SIDE, 3, pixels);
    }

    @Override
    public String fingerprint() {
        Digest digest = new Digest().add(String.join("\n", classes));
        parts.forEach(part -> digest.add(part.bytes));
        return digest.hex();
    }

    @Override
    public Optional<Normalization> normalization() {
        return Optional.of(kind.normalization);
    }
}
