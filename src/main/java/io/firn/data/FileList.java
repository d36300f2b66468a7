package io.firn.data;

import io.firn.error.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Image files without labels, for prediction: in the order given, a folder standing for the images below it in name order. */
public final class FileList implements Dataset {
    private final List<ImageFiles.Entry> files;
    private final int channels;

    private FileList(List<ImageFiles.Entry> files) {
        this.files = files;
        this.channels = ImageFiles.channels(files.stream().map(ImageFiles.Entry::path).toList());
    }

    /**
     * The files themselves, whatever their names, and the images of the folders among them.
     *
     * @throws UserError where a path does not exist, a folder holds no image, or nothing is given
     */
    public static FileList of(List<Path> paths) {
        if (paths.isEmpty()) {
            throw UserError.usage("no images given: name image files or folders of them");
        }
        return new FileList(paths.stream().flatMap(FileList::expand).toList());
    }

    private static Stream<ImageFiles.Entry> expand(Path path) {
        if (Files.isDirectory(path)) {
            List<ImageFiles.Entry> found = ImageFiles.below(path);
            if (found.isEmpty()) {
                throw UserError.data("%s holds no image (.png, .jpg, .jpeg, .webp, .bmp)", path);
            }
            return found.stream();
        }
        if (!Files.exists(path)) {
            throw UserError.data("no such file: %s", path);
        }
        return Stream.of(new ImageFiles.Entry(path, path.toFile().length()));
    }

    /** The files in order. */
    public List<Path> files() {
        return files.stream().map(ImageFiles.Entry::path).toList();
    }

    @Override
    public String name() {
        return files.size() == 1 ? describe(0) : "%d images".formatted(files.size());
    }

    @Override
    public List<String> classes() {
        return List.of();
    }

    @Override
    public int size() {
        return files.size();
    }

    @Override
    public int channels() {
        return channels;
    }

    @Override
    public int label(int index) {
        return -1;
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.empty();
    }

    @Override
    public String describe(int index) {
        return files.get(index).path().toString();
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return image(index, Reduction.NONE);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return Decoder.decode(files.get(index).path(), reduction);
    }

    @Override
    public String fingerprint() {
        Digest digest = new Digest();
        files.forEach(file -> digest.add(file.path().toString()).add(file.bytes()));
        return digest.hex();
    }
}
