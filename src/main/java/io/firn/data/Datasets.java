package io.firn.data;

import io.firn.error.UserError;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Opens what {@code --data} and {@code --val} name, and divides a set in two. */
public final class Datasets {
    /** Names that stand for a set that Firn knows and fetches. */
    public static final List<String> BUILT_IN = List.of(FashionMnist.NAME);

    private Datasets() {
    }

    /** As {@link #open(String, Consumer)}, quietly. */
    public static Splits open(String spec) {
        return open(spec, _ -> { });
    }

    /**
     * Opens a built-in name, a folder of class folders, tar shards, a CSV or TSV list, a folder or images file of IDX, or a
     * folder or file of CIFAR binaries; what it is, is found out by what is in it.
     *
     * @param say told what takes time (fetching a built-in set) and what is left out
     * @throws UserError where there is nothing, or nothing usable
     */
    public static Splits open(String spec, Consumer<String> say) {
        Splits splits = parts(spec, say);
        Dataset set = splits.train();
        // Class folders have said so already, in words of their own.
        if (set.classes().size() < 2) {
            throw UserError.data("%s has %s: a classifier needs at least two classes", set.name(),
                    set.classes().isEmpty() ? "no class" : "only one class, '%s'".formatted(set.classes().getFirst()));
        }
        return new Splits(set, splits.validation().map(v -> Relabelled.of(v, set.classes())));
    }

    private static Splits parts(String spec, Consumer<String> say) {
        if (spec.equals(FashionMnist.NAME)) {
            return FashionMnist.open(say);
        }
        if (isShards(spec)) {
            return TarShards.open(spec, say);
        }
        Path path = path(spec);
        if (Files.isRegularFile(path)) {
            return new Splits(openFile(path), Optional.empty());
        }
        return Idx.matches(path) ? Idx.open(path) : CifarBinary.matches(path) ? CifarBinary.open(path) : ImageFolder.open(path);
    }

    private static boolean isShards(String spec) {
        try {
            return TarShards.matches(spec);
        } catch (InvalidPathException _) {
            // Told of where the path is opened.
            return false;
        }
    }

    /**
     * Opens a set to validate or evaluate with, under the class list that a model was trained on: the validation part
     * of what is there, or all of it where it is not divided. Classes that it lacks shift nothing.
     *
     * @param classes the training set's
     * @throws UserError as {@link #open(String)}, and where it has a class that is not in the list
     */
    public static Dataset validation(String spec, List<String> classes) {
        return validation(spec, classes, _ -> { });
    }

    /** The same, saying what is left out. */
    public static Dataset validation(String spec, List<String> classes, Consumer<String> say) {
        if (!spec.equals(FashionMnist.NAME) && !isShards(spec)) {
            Path path = path(spec);
            boolean parts = Files.isDirectory(path.resolve("train")) || Files.isRegularFile(path) || Idx.matches(path) || CifarBinary.matches(path);
            if (!parts) {
                return Relabelled.of(ImageFolder.openLenient(path), classes);
            }
        }
        Splits splits = parts(spec, say);
        return Relabelled.of(splits.validation().orElse(splits.train()), classes);
    }

    /**
     * Refuses a set whose images are all of one class where a training is to be judged by it: mostly a folder that lies one
     * level too high.
     *
     * @throws UserError where there is only one
     */
    public static void checkClasses(Dataset validation) {
        int[] labels = IntStream.range(0, validation.size()).map(validation::label).distinct().limit(2).toArray();
        if (labels.length == 1) {
            throw UserError.data("%s has images of only one class, '%s': a validation needs at least two", validation.name(),
                    validation.classes().get(labels[0]));
        }
    }

    /**
     * Images to predict: files, the images below folders in name order, and those in tar files, in the order given.
     *
     * @throws UserError where a path does not exist, holds no image, or nothing is given
     */
    public static Dataset unlabelled(List<Path> paths, Consumer<String> say) {
        if (paths.stream().noneMatch(p -> p.toString().endsWith(".tar"))) {
            return FileList.of(paths);
        }
        return Joined.of(paths.stream().map(p -> p.toString().endsWith(".tar") ? TarShards.unlabelled(p, say)
                : FileList.of(List.of(p))).toList());
    }

    /**
     * Divides a set at random into training and validation, each class by the same fraction (rounded; at least one
     * image of each class stays in training). The same seed gives the same parts.
     *
     * @param fraction of the images to validate with, between 0 and 1
     * @throws UserError where the fraction is out of range or leaves nothing to validate with
     */
    public static Splits split(Dataset set, double fraction, long seed) {
        if (!(fraction > 0 && fraction < 1)) {
            throw UserError.usage("--val-split %s is not between 0 and 1", fraction);
        }
        List<List<Integer>> byClass = new ArrayList<>();
        for (int i = 0; i < Math.max(1, set.classes().size()); i++) {
            byClass.add(new ArrayList<>());
        }
        for (int i = 0; i < set.size(); i++) {
            byClass.get(Math.max(0, set.label(i))).add(i);
        }
        List<Integer> train = new ArrayList<>();
        List<Integer> validation = new ArrayList<>();
        for (int label = 0; label < byClass.size(); label++) {
            int[] members = byClass.get(label).stream().mapToInt(Integer::intValue).toArray();
            new Draws(Draws.Purpose.SPLIT, seed, 0, label).shuffle(members);
            long wanted = Math.min(Math.round(members.length * fraction), Math.max(0, members.length - 1));
            for (int i = 0; i < members.length; i++) {
                (i < wanted ? validation : train).add(members[i]);
            }
        }
        if (validation.isEmpty()) {
            throw UserError.data("--val-split %s of the %d images of %s is none in every class: give a larger fraction", fraction, set.size(), set.name());
        }
        return new Splits(subset(set, train, "training part of "), Optional.of(subset(set, validation, "validation part of ")));
    }

    private static Dataset subset(Dataset set, List<Integer> indices, String prefix) {
        int[] sorted = indices.stream().mapToInt(Integer::intValue).toArray();
        Arrays.sort(sorted);
        return new Subset(prefix + set.name(), set, sorted);
    }

    private static Dataset openFile(Path file) {
        String name = file.getFileName().toString();
        if (name.contains("idx") || name.contains("ubyte")) {
            return Idx.openFile(file);
        }
        if (name.endsWith(".bin")) {
            return CifarBinary.openFile(file);
        }
        if (ImageList.matches(file)) {
            return ImageList.open(file);
        }
        throw UserError.data("%s is no data set that Firn reads: give a folder of class folders, a .tar file, a .csv or .tsv list, an IDX images file (…-images-idx3-ubyte[.gz]) or a CIFAR .bin file", file);
    }

    private static Path path(String spec) {
        try {
            Path path = Path.of(spec);
            if (!spec.isEmpty() && Files.exists(path)) {
                return path;
            }
        } catch (InvalidPathException _) {
            // The same as a path that does not exist.
        }
        throw UserError.data("no data set at '%s': no such file or folder, and not a built-in name (%s)", spec, String.join(", ", BUILT_IN));
    }
}
