package io.firn.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Draws a part of a data set in which every class has about the same number of images. */
public final class Sampling {
    private Sampling() {
    }

    /**
     * At most so many images of each class and in total, drawn at random, in the set's order. The same seed draws the same.
     *
     * @param perClass most images of one class
     * @param total    most images; rounded down to the same number a class, but not below one
     */
    public static Dataset perClass(Dataset set, int perClass, int total, long seed) {
        List<List<Integer>> byClass = byClass(set);
        long classes = byClass.stream().filter(c -> !c.isEmpty()).count();
        int most = (int) Math.max(1, Math.min(perClass, total / Math.max(1, classes)));
        List<Integer> chosen = new ArrayList<>();
        for (int label = 0; label < byClass.size(); label++) {
            int[] members = byClass.get(label).stream().mapToInt(Integer::intValue).toArray();
            new Draws(Draws.Purpose.SPLIT, seed, 1, label).shuffle(members);
            Arrays.stream(members).limit(most).forEach(chosen::add);
        }
        return new Subset("sample of " + set.name(), set, chosen.stream().mapToInt(Integer::intValue).sorted().toArray());
    }

    /** How many images each class has. */
    public static int[] counts(Dataset set) {
        return byClass(set).stream().mapToInt(List::size).toArray();
    }

    private static List<List<Integer>> byClass(Dataset set) {
        List<List<Integer>> byClass = new ArrayList<>();
        set.classes().forEach(_ -> byClass.add(new ArrayList<>()));
        for (int i = 0; i < set.size(); i++) {
            if (set.label(i) >= 0) {
                byClass.get(set.label(i)).add(i);
            }
        }
        return byClass;
    }
}
