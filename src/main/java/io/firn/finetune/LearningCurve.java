package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.graph.Philox;
import java.util.ArrayList;
import java.util.List;

/**
 * How the head's accuracy grows with the images it learns from: ridge regression on the classifier's input, each image
 * judged by the others.
 *
 * @param points by rising share
 */
public record LearningCurve(List<Point> points) {
    /** Small shares are drawn several times, since few images say little. */
    private static final List<Share> SHARES = List.of(new Share(0.25, 4), new Share(0.5, 2), new Share(1, 1));

    /** @param images learned from, a class on average */
    record Point(double share, @JsonProperty("images_per_class") double images, double accuracy) {
    }

    private record Share(double share, int draws) {
    }

    static LearningCurve of(float[][] features, int[] labels, int classes, long seed) {
        List<Point> points = new ArrayList<>();
        for (Share s : SHARES) {
            double accuracy = 0;
            int images = 0;
            for (int draw = 0; draw < s.draws; draw++) {
                int[] rows = part(labels, classes, s.share, seed + draw);
                float[][] x = new float[rows.length][];
                int[] y = new int[rows.length];
                for (int i = 0; i < rows.length; i++) {
                    x[i] = features[rows[i]];
                    y[i] = labels[rows[i]];
                }
                accuracy += Probe.of(x, y, classes).ridge().accuracy() / s.draws;
                images = rows.length;
            }
            points.add(new Point(s.share, (double) images / classes, accuracy));
        }
        return new LearningCurve(points);
    }

    /** Rows of a random part of each class, at least two of each where it has them. */
    private static int[] part(int[] labels, int classes, double share, long seed) {
        List<List<Integer>> byClass = new ArrayList<>();
        for (int k = 0; k < classes; k++) {
            byClass.add(new ArrayList<>());
        }
        for (int i = 0; i < labels.length; i++) {
            byClass.get(labels[i]).add(i);
        }
        List<Integer> rows = new ArrayList<>();
        for (int k = 0; k < classes; k++) {
            List<Integer> members = byClass.get(k);
            for (int i = members.size() - 1; i > 0; i--) {
                int j = Philox.below((int) Philox.next(seed, k, i), i + 1);
                members.set(i, members.set(j, members.get(i)));
            }
            rows.addAll(members.subList(0, Math.min(members.size(), Math.max(2, (int) Math.round(members.size() * share)))));
        }
        return rows.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /** What twice the images have brought: the last step of the curve. */
    double gain() {
        return points.getLast().accuracy - points.get(points.size() - 2).accuracy;
    }
}
