package io.firn.data;

import java.util.List;
import java.util.Optional;

/** Several sets one after the other, under the first one's classes: images to predict that come from different places. */
record Joined(List<Dataset> sets, int[] starts, int size) implements Dataset {
    static Dataset of(List<Dataset> sets) {
        int[] starts = new int[sets.size()];
        int size = 0;
        for (int i = 0; i < starts.length; i++) {
            starts[i] = size;
            size = Math.addExact(size, sets.get(i).size());
        }
        return sets.size() == 1 ? sets.getFirst() : new Joined(List.copyOf(sets), starts, size);
    }

    private int set(int index) {
        int set = starts.length - 1;
        while (starts[set] > index) {
            set--;
        }
        return set;
    }

    @Override
    public String name() {
        return "%d images".formatted(size);
    }

    @Override
    public List<String> classes() {
        return sets.getFirst().classes();
    }

    @Override
    public int channels() {
        return sets.stream().mapToInt(Dataset::channels).max().orElseThrow();
    }

    @Override
    public int label(int index) {
        return sets.get(set(index)).label(index - starts[set(index)]);
    }

    @Override
    public Optional<Size> uniformSize() {
        return Optional.empty();
    }

    @Override
    public String describe(int index) {
        return sets.get(set(index)).describe(index - starts[set(index)]);
    }

    @Override
    public Image image(int index) throws DamagedImage {
        return image(index, Reduction.NONE);
    }

    @Override
    public Image image(int index, Reduction reduction) throws DamagedImage {
        return sets.get(set(index)).image(index - starts[set(index)], reduction);
    }

    @Override
    public String fingerprint() {
        Digest digest = new Digest();
        sets.forEach(set -> digest.add(set.fingerprint()));
        return digest.hex();
    }
}
