package io.firn.data;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Gray images of one size in the files of the MNIST family: MNIST, Fashion-MNIST, KMNIST, EMNIST. Held in memory. */
public final class Idx implements Dataset {
    private static final Pattern IMAGES = Pattern.compile("(.*?)(train|t10k|test)-images[-.]idx3-ubyte(\\.gz)?");

    private final String name;
    private final IdxFile images;
    private final IdxFile labels;
    private final List<String> classes;

    private Idx(String name, IdxFile images, IdxFile labels, List<String> classes) {
        this.name = name;
        this.images = images;
        this.labels = labels;
        this.classes = classes;
        byte[] values = labels.data();
        for (int i = 0; i < values.length; i++) {
            if ((values[i] & 0xFF) >= classes.size()) {
                throw UserError.data("label %d at index %d of %s is out of range: the training set has the %d classes %s to %s",
                        values[i] & 0xFF, i, labels.path(), classes.size(), classes.getFirst(), classes.getLast());
            }
        }
    }

    /** Whether a folder holds files of this family. */
    static boolean matches(Path folder) {
        return !find(folder).isEmpty();
    }

    /**
     * Opens a folder with {@code train-images-idx3-ubyte} and its labels, and the {@code t10k} or {@code test} pair
     * where it is there; plain or {@code .gz}.
     *
     * @throws UserError where a file is missing or damaged
     */
    public static Splits open(Path folder) {
        List<Path> found = find(folder);
        List<Path> train = found.stream().filter(file -> split(file).equals("train")).toList();
        List<Path> test = found.stream().filter(file -> !split(file).equals("train")).toList();
        if (train.size() > 1 || test.size() > 1) {
            throw UserError.data("%s holds several IDX sets (%s): give the images file of one of them", folder,
                    String.join(", ", found.stream().map(file -> file.getFileName().toString()).toList()));
        }
        if (train.isEmpty()) {
            throw UserError.data("%s holds %s but no train-images-idx3-ubyte[.gz]: fetch the training files, or give that images file itself",
                    folder, test.getFirst().getFileName());
        }
        Idx set = openFile(folder.toString(), train.getFirst(), Optional.empty());
        return new Splits(set, test.stream().findFirst().map(file -> openFile(folder.toString(), file, Optional.of(set.classes))));
    }

    /**
     * Opens one images file with its labels file beside it.
     *
     * @throws UserError where a file is missing or damaged
     */
    public static Idx openFile(Path images) {
        return openFile(images.toString(), images, Optional.empty());
    }

    private static Idx openFile(String name, Path imagesPath, Optional<List<String>> trainingClasses) {
        Path labelsPath = labelsOf(imagesPath);
        IdxFile images = IdxFile.read(imagesPath, 3);
        IdxFile labels = IdxFile.read(labelsPath, 1);
        int count = images.dimensions()[0];
        if (labels.dimensions()[0] != count) {
            throw UserError.data("%s holds %,d images, but %s holds %,d labels: they do not belong together",
                    imagesPath, count, labels.path(), labels.dimensions()[0]);
        }
        List<String> classes = FashionMnist.hasImages(images.sha256()) ? FashionMnist.CLASSES
                : trainingClasses.orElseGet(() -> numbered(labels.data()));
        return new Idx(name, images, labels, classes);
    }

    /** The two files that this set was read from. */
    List<IdxFile> files() {
        return List.of(images, labels);
    }

    private static List<String> numbered(byte[] labels) {
        int largest = 0;
        for (byte label : labels) {
            largest = Math.max(largest, label & 0xFF);
        }
        return IntStream.rangeClosed(0, largest).mapToObj(Integer::toString).toList();
    }

    /** The images files of a folder; where one is there both plain and gzipped, the plain one. */
    private static List<Path> find(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> found = files.filter(file -> IMAGES.matcher(file.getFileName().toString()).matches()).sorted().toList();
            return found.stream().filter(file -> !(file.toString().endsWith(".gz")
                    && found.contains(file.resolveSibling(file.getFileName().toString().replaceFirst("\\.gz$", ""))))).toList();
        } catch (IOException e) {
            throw UserError.data("%s cannot be read: %s", folder, e).causedBy(e);
        }
    }

    private static String split(Path file) {
        Matcher matcher = IMAGES.matcher(file.getFileName().toString());
        return matcher.matches() ? matcher.group(2) : "";
    }

    private static Path labelsOf(Path images) {
        String file = images.getFileName().toString();
        String labels = file.replace("images", "labels").replace("idx3", "idx1").replaceFirst("\\.gz$", "");
        if (!file.contains("images")) {
            throw UserError.data("%s: an IDX images file must have 'images' in its name, since its labels file has 'labels' there", images);
        }
        return Stream.of(labels, labels + ".gz").map(images::resolveSibling).filter(Files::isRegularFile).findFirst()
                .orElseThrow(() -> UserError.data("%s has no labels file beside it: expected %s or %s.gz", images, labels, labels));
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
        return images.dimensions()[0];
    }

    @Override
    public int channels() {
        return 1;
    }

    @Override
    public int label(int index) {
        return labels.data()[index] & 0xFF;
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.of(new Size(images.dimensions()[1], images.dimensions()[2]));
    }

    @Override
    public String describe(int index) {
        return "index %d of %s".formatted(index, images.path());
    }

    @Override
    public Image image(int index) {
        int height = images.dimensions()[1];
        int width = images.dimensions()[2];
        int from = index * height * width;
        return new Image(height, width, 1, Arrays.copyOfRange(images.data(), from, from + height * width));
    }

    @Override
    public String fingerprint() {
        return new Digest().add(images.sha256()).add(labels.sha256()).add(String.join("\n", classes)).hex();
    }

    @Override
    public Optional<Normalization> normalization() {
        return FashionMnist.hasImages(images.sha256()) ? Optional.of(Normalization.FASHION_MNIST) : Optional.empty();
    }
}
