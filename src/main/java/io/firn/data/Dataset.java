package io.firn.data;

import java.util.List;
import java.util.Optional;

/**
 * A labelled set of images with random access: what the loader, the split and the inspection need, whatever the
 * files look like. Implementations hold no open file and may be read by several threads at once.
 */
public interface Dataset {
    /** A short name for messages: the built-in's name or the path as given. */
    String name();

    /** Class names; a label is an index into it. Empty for images to predict. */
    List<String> classes();

    /** How many images there are. */
    int size();

    /** 1 (gray) or 3 (red, green, blue): what a model for this set should take in. */
    int channels();

    /** The class of an image, or -1 where nobody has said. */
    int label(int index);

    /** The size of every image where all have the same by the format; empty for image files. */
    Optional<Size> uniformSize();

    /** Where an image is, for messages: its file, or "index 17 of FILE". */
    String describe(int index);

    /**
     * The decoded image. Its channels are the file's own (a gray file has one also where {@link #channels} says 3);
     * {@link Transform} converts.
     *
     * @throws DamagedImage where it cannot be read or decoded
     */
    Image image(int index) throws DamagedImage;

    /** The same, smaller where the file's format decodes that at less cost. */
    default Image image(int index, Reduction reduction) throws DamagedImage {
        return image(index);
    }

    /**
     * A SHA-256 (hexadecimal) that changes when the set does: over names, file sizes and labels for image files, over
     * the content for packed formats. A resumed run compares it.
     */
    String fingerprint();

    /**
     * The first image of each of the set's files, for sets that are read faster file by file; 0 alone for all others, whose
     * order of reading does not matter.
     */
    default int[] shards() {
        return new int[] {0};
    }

    /** Mean and deviation where they are known for this very set. */
    default Optional<Normalization> normalization() {
        return Optional.empty();
    }
}
