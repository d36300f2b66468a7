package io.firn.data;

import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A folder of class folders with image files at any depth below. As in torchvision, classes are sorted by name and
 * images by folder and name; {@code train} beside {@code val} (or {@code valid}, {@code validation}, {@code test}) are two parts.
 */
public final class ImageFolder implements Dataset {
    private static final List<String> VALIDATION = List.of("val", "valid", "validation", "test");

    private final Path root;
    private final List<String> classes;
    private final List<String> files;
    private final int[] labels;
    private final int channels;
    private final String fingerprint;

    private ImageFolder(Path root, List<Path> folders, List<List<ImageFiles.Entry>> images) {
        this.root = root;
        this.classes = folders.stream().map(folder -> folder.getFileName().toString()).toList();
        this.files = new ArrayList<>();
        this.labels = new int[images.stream().mapToInt(List::size).sum()];
        Digest digest = new Digest();
        for (int label = 0; label < classes.size(); label++) {
            digest.add(classes.get(label));
            for (ImageFiles.Entry image : images.get(label)) {
                // Text relative to the root: a Path object for each of a million images would weigh too much.
                String file = root.relativize(image.path()).toString();
                labels[files.size()] = label;
                files.add(file);
                digest.add(file).add(image.bytes()).add(label);
            }
        }
        this.fingerprint = digest.hex();
        this.channels = ImageFiles.channels(images.stream().flatMap(List::stream).map(ImageFiles.Entry::path).toList());
    }

    /**
     * Opens a folder of class folders, or one of parts that are such folders. A validation part's labels are the
     * training part's.
     *
     * @throws UserError where there are no class folders, fewer than two, one without images, or a class in the
     *                   validation part that the training part has not
     */
    public static Splits open(Path root) {
        List<Path> folders = ImageFiles.folders(root);
        Optional<Path> train = folders.stream().filter(folder -> folder.endsWith("train")).findFirst();
        Optional<Path> validation = VALIDATION.stream().map(root::resolve).filter(folders::contains).findFirst();
        // "train" and "test" might be classes as well; parts have folders inside.
        if (train.isPresent() && validation.isPresent() && !ImageFiles.folders(train.get()).isEmpty()) {
            ImageFolder set = openPart(train.get());
            return new Splits(set, Optional.of(Relabelled.of(openLenient(validation.get()), set.classes)));
        }
        return new Splits(openPart(root), Optional.empty());
    }

    private static ImageFolder openPart(Path root) {
        List<Path> folders = ImageFiles.folders(root);
        if (folders.isEmpty()) {
            throw noClasses(root);
        }
        List<List<ImageFiles.Entry>> images = folders.stream().map(ImageFiles::below).toList();
        for (int i = 0; i < folders.size(); i++) {
            if (images.get(i).isEmpty()) {
                throw UserError.data("class folder %s holds no image (.png, .jpg, .jpeg, .webp, .bmp): add images or remove the folder", folders.get(i));
            }
        }
        if (folders.size() == 1) {
            throw UserError.data("%s has only one class folder, '%s': a classifier needs at least two", root, folders.getFirst().getFileName());
        }
        return new ImageFolder(root, folders, images);
    }

    /** For validation: any number of classes, and folders without images do no harm. */
    static ImageFolder openLenient(Path root) {
        List<Path> folders = ImageFiles.folders(root);
        List<List<ImageFiles.Entry>> images = folders.stream().map(ImageFiles::below).toList();
        if (images.stream().allMatch(List::isEmpty)) {
            throw noClasses(root);
        }
        return new ImageFolder(root, folders, images);
    }

    private static UserError noClasses(Path root) {
        long loose = ImageFiles.below(root).size();
        return loose > 0
                ? UserError.data("%s holds %,d images but no class folders: give every class a folder (%s)", root, loose, root.resolve("CLASS").resolve("IMAGE.jpg"))
                : UserError.data("%s holds no images: expected class folders (%s), IDX files or CIFAR's .bin files", root, root.resolve("CLASS").resolve("IMAGE.jpg"));
    }

    @Override
    public String name() {
        return root.toString();
    }

    @Override
    public List<String> classes() {
        return classes;
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public int channels() {
        return channels;
    }

    @Override
    public int label(int index) {
        return labels[index];
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.empty();
    }

    @Override
    public String describe(int index) {
        return root.resolve(files.get(index)).toString();
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return image(index, Reduction.NONE);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return Decoder.decode(root.resolve(files.get(index)), reduction);
    }

    @Override
    public String fingerprint() {
        return fingerprint;
    }
}
