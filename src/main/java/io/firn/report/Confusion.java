package io.firn.report;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Which classes are taken for which. Only pairs that occur are held, since with thousands of classes nearly none do.
 *
 * @param counts    images by label and predicted class
 * @param support   images by label
 * @param predicted images by predicted class
 */
public record Confusion(Map<Pair, Integer> counts, int[] support, int[] predicted) {

    /** A label, and the class that an image of it was taken for. */
    public record Pair(int label, int predicted) {
    }

    /** Nothing yet. */
    public static Confusion of(int classes) {
        return new Confusion(new HashMap<>(), new int[classes], new int[classes]);
    }

    static Confusion of(Validation v) {
        Confusion confusion = of(v.classes().size());
        v.predictions().forEach(p -> confusion.add(p.label(), p.predicted()));
        return confusion;
    }

    /** Counts an image. */
    public void add(int label, int taken) {
        counts.merge(new Pair(label, taken), 1, Integer::sum);
        support[label]++;
        predicted[taken]++;
    }

    public int classes() {
        return support.length;
    }

    /** Images of a label that were taken for a class. */
    public int count(int label, int predicted) {
        return counts.getOrDefault(new Pair(label, predicted), 0);
    }

    /** Share of the images taken for this class that are of it; NaN where none is. */
    public double precision(int c) {
        return count(c, c) / (double) predicted[c];
    }

    /** Share of the images of this class that are taken for it; NaN where there are none. */
    public double recall(int c) {
        return count(c, c) / (double) support[c];
    }

    /** The harmonic mean of precision and recall; NaN for a class that neither occurs nor is predicted. */
    double f1(int c) {
        return 2.0 * count(c, c) / (support[c] + predicted[c]);
    }

    /** Pairs of different classes, the most frequent first. */
    List<Pair> mistakes() {
        return counts.keySet().stream().filter(p -> p.label != p.predicted).sorted(
                Comparator.comparingInt((Pair p) -> -counts.get(p)).thenComparing(Pair::label).thenComparing(Pair::predicted))
                .toList();
    }

    /** The classes that take part in most mistakes, at most that many, in the order of their labels. */
    List<Integer> mostMistaken(int most) {
        return IntStream.range(0, classes()).boxed()
                .sorted(Comparator.comparingInt(c -> 2 * count(c, c) - support[c] - predicted[c])).limit(most).sorted()
                .toList();
    }
}
