package io.firn.data;

import io.firn.error.UserError;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** A data set whose labels index another list of classes, found by name: a validation set under its training set's list. */
record Relabelled(Dataset set, List<String> classes, int[] mapping) implements Dataset {
    /**
     * Classes that the set lacks shift nothing, and those of its own that have no image do not matter.
     *
     * @throws UserError where the set has images of a class that the list has not
     */
    static Dataset of(Dataset set, List<String> classes) {
        if (set.classes().equals(classes)) {
            return set;
        }
        List<String> unknown = IntStream.range(0, set.size()).map(set::label).distinct().sorted().mapToObj(set.classes()::get)
                .filter(name -> !classes.contains(name)).toList();
        if (!unknown.isEmpty()) {
            throw UserError.data("%s has class %s, which the training set's %d classes (%s) do not have: rename or remove it",
                    set.name(), quoted(unknown), classes.size(), shortened(classes));
        }
        return new Relabelled(set, classes, set.classes().stream().mapToInt(classes::indexOf).toArray());
    }

    private static String quoted(List<String> names) {
        return "'" + String.join("', '", names.subList(0, Math.min(5, names.size()))) + (names.size() > 5 ? "', …" : "'");
    }

    private static String shortened(List<String> names) {
        return String.join(", ", names.subList(0, Math.min(8, names.size()))) + (names.size() > 8 ? ", …" : "");
    }

    @Override
    public String name() {
        return set.name();
    }

    @Override
    public int size() {
        return set.size();
    }

    @Override
    public int channels() {
        return set.channels();
    }

    @Override
    public int label(int index) {
        int label = set.label(index);
        return label < 0 ? label : mapping[label];
    }

    @Override
    public Optional<Size> uniformSize() {
        return set.uniformSize();
    }

    @Override
    public String describe(int index) {
        return set.describe(index);
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return set.image(index);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return set.image(index, reduction);
    }

    @Override
    public String fingerprint() {
        return new Digest().add(set.fingerprint()).add(Arrays.toString(mapping)).hex();
    }

    @Override
    public Optional<Normalization> normalization() {
        return set.normalization();
    }
}
