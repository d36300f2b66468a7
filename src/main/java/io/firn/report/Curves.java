package io.firn.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A run's {@code metrics.jsonl}, thinned out for drawing: however long the run, a few hundred points stand for all steps.
 *
 * @param epochs     in order
 * @param steps      the last step
 * @param unreadable lines that made no sense
 */
record Curves(List<Point> points, List<Epoch> epochs, long steps, long unreadable) {
    private static final int MOST_POINTS = 400;

    /**
     * One or several steps that follow each other.
     *
     * @param step       the last of them
     * @param loss       their mean, between the {@code least} and the {@code most}
     * @param lr         of the last
     * @param imagesPerS images of all over the time of all (each step has the same number: the harmonic mean)
     */
    record Point(long step, int steps, double loss, double least, double most, double lr, double imagesPerS) {
        Point and(Point next) {
            int sum = steps + next.steps;
            return new Point(next.step, sum, (loss * steps + next.loss * next.steps) / sum, Math.min(least, next.least),
                    Math.max(most, next.most), next.lr, sum / (steps / imagesPerS + next.steps / next.imagesPerS));
        }
    }

    /** An epoch's line; NaN stands for what was not measured. The step is the last before the line. */
    record Epoch(int epoch, long step, double trainLoss, double valLoss, double top1, double top5, double seconds) {
    }

    static Curves read(Path file) throws IOException {
        Reader reader = new Reader();
        long unreadable = JsonLines.read(file, reader::line);
        return new Curves(reader.points, reader.epochs, reader.last, unreadable);
    }

    /** The median of the points' images a second; NaN without any. */
    double throughput() {
        double[] sorted = points.stream().mapToDouble(Point::imagesPerS).filter(Double::isFinite).sorted().toArray();
        return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
    }

    private static final class Reader {
        private final List<Point> points = new ArrayList<>();
        private final List<Epoch> epochs = new ArrayList<>();
        private int width = 1;
        private long last;

        boolean line(JsonNode n) {
            return switch (n.path("kind").asText()) {
                case "step" -> step(n);
                case "epoch" -> epoch(n);
                default -> false;
            };
        }

        private boolean step(JsonNode n) {
            long step = n.path("step").asLong();
            if (step <= last) {
                return false;
            }
            last = step;
            double loss = JsonLines.number(n, "loss");
            Point p = new Point(step, 1, loss, loss, loss, JsonLines.number(n, "lr"), JsonLines.number(n, "images_per_s"));
            if (!points.isEmpty() && points.getLast().steps < width) {
                points.set(points.size() - 1, points.getLast().and(p));
                return true;
            }
            if (points.size() == MOST_POINTS) {
                for (int i = 0; i < MOST_POINTS / 2; i++) {
                    points.set(i, points.get(2 * i).and(points.get(2 * i + 1)));
                }
                points.subList(MOST_POINTS / 2, MOST_POINTS).clear();
                width *= 2;
            }
            points.add(p);
            return true;
        }

        private boolean epoch(JsonNode n) {
            if (!n.path("epoch").isNumber()) {
                return false;
            }
            epochs.add(new Epoch(n.get("epoch").asInt(), last, JsonLines.number(n, "train_loss"),
                    JsonLines.number(n, "val_loss"), JsonLines.number(n, "val_top1"), JsonLines.number(n, "val_top5"),
                    JsonLines.number(n, "seconds")));
            return true;
        }
    }
}
