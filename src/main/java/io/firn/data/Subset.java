package io.firn.data;

import java.util.List;
import java.util.Optional;

/** Some images of another data set, in a given order, with its classes. */
record Subset(String name, Dataset whole, int[] indices) implements Dataset {
    @Override
    public List<String> classes() {
        return whole.classes();
    }

    @Override
    public int size() {
        return indices.length;
    }

    @Override
    public int channels() {
        return whole.channels();
    }

    @Override
    public int label(int index) {
        return whole.label(indices[index]);
    }

    @Override
    public Optional<Size> uniformSize() {
        return whole.uniformSize();
    }

    @Override
    public String describe(int index) {
        return whole.describe(indices[index]);
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return whole.image(indices[index]);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return whole.image(indices[index], reduction);
    }

    @Override
    public String fingerprint() {
        Digest digest = new Digest().add(whole.fingerprint());
        for (int index : indices) {
            digest.add(index);
        }
        return digest.hex();
    }

    @Override
    public Optional<Normalization> normalization() {
        return whole.normalization();
    }
}
