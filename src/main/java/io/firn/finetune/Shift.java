package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.finetune.Measurement.Spread;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Philox;
import io.firn.graph.State;
import io.firn.train.InitialStates;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedMap;

/**
 * How far a batch norm's input on the target data lies from what its running statistics say of the data that the weights
 * come from: D = mean over channels of (m - μ)² / σ² + (√v / σ - 1)², the squared 2-Wasserstein distance of two normal
 * distributions in units of σ. It knows nothing of labels.
 *
 * @param norm  name of the batch norm
 * @param d     the distance; 0 where nothing has shifted
 * @param floor what it would come to without any shift, by the number of images alone: from halves of the target data
 */
public record Shift(String norm, double d, @JsonProperty("noise_floor") double floor) {
    private static final int HALVINGS = 20;
    /** After so many less than a sixtieth is left of what running statistics of momentum 0.1 began with. */
    private static final int MOST_STEPS = 40;
    /** Added to variances as batch norms do, so that a channel that never speaks counts for little. */
    private static final double EPS = 1e-5;

    /** The shift at each batch norm of which at least two batches were seen, in forward order. */
    static List<Shift> of(Graph model, SequencedMap<String, List<Spread>> norms, InitialStates states, long seed) {
        List<Shift> shifts = new ArrayList<>();
        for (Node n : model.nodes()) {
            List<Spread> seen = norms.get(n.name());
            if (n.op() instanceof Normalization.BatchNorm && seen != null) {
                float[] mean = states.of(state(model, n, 3));
                float[] variance = states.of(state(model, n, 4));
                shifts.add(new Shift(n.name(), distance(pooled(seen), mean, variance), floor(seen, variance, seed)));
            }
        }
        return shifts;
    }

    /** The distance at one batch norm alone. */
    static double distance(Graph model, String norm, List<Spread> seen, InitialStates states) {
        Node n = model.nodes().stream().filter(m -> m.name().equals(norm)).findFirst().orElseThrow();
        return distance(pooled(seen), states.of(state(model, n, 3)), states.of(state(model, n, 4)));
    }

    /**
     * Running statistics that would fit better were they freed of what they began with.
     *
     * @param steps of training after which so much of it is left
     * @param d     the distance without it
     */
    record Unsettled(int steps, double d) {
    }

    /** After k steps of momentum a running statistics are (1 - a)^k of what they began with, and the rest is the data's. */
    static Unsettled unsettled(Graph model, Node norm, List<Spread> seen, InitialStates states) {
        double kept = 1 - ((Normalization.BatchNorm) norm.op()).momentum();
        float[] mean = states.of(state(model, norm, 3));
        float[] variance = states.of(state(model, norm, 4));
        Spread target = pooled(seen);
        Unsettled best = new Unsettled(0, Double.POSITIVE_INFINITY);
        double left = 1;
        for (int steps = 1; steps <= MOST_STEPS; steps++) {
            left *= kept;
            double d = distance(target, without(left, 0, mean), without(left, 1, variance));
            if (d < best.d) { // never where a variance became negative: the distance is no number
                best = new Unsettled(steps, d);
            }
        }
        return best;
    }

    private static float[] without(double left, double begun, float[] running) {
        float[] rest = new float[running.length];
        for (int i = 0; i < rest.length; i++) {
            rest[i] = (float) ((running[i] - left * begun) / (1 - left));
        }
        return rest;
    }

    private static State state(Graph model, Node norm, int input) {
        return model.state(norm.input(input).name());
    }

    static double distance(Spread target, float[] mean, float[] variance) {
        double sum = 0;
        for (int c = 0; c < mean.length; c++) {
            double v = variance[c] + EPS;
            double m = target.mean()[c] - mean[c];
            double s = Math.sqrt((target.variance()[c] + EPS) / v) - 1;
            sum += m * m / v + s * s;
        }
        return sum / mean.length;
    }

    /**
     * The distance of two random halves, averaged and quartered: each half's estimate has twice the variance of the
     * whole's, and both differ. NaN for a single batch.
     */
    private static double floor(List<Spread> seen, float[] variance, long seed) {
        if (seen.size() < 2) {
            return Double.NaN;
        }
        double sum = 0;
        for (int h = 0; h < HALVINGS; h++) {
            List<Spread> order = new ArrayList<>(seen);
            for (int i = order.size() - 1; i > 0; i--) {
                int j = Philox.below((int) Philox.next(seed, h, i), i + 1);
                Spread swapped = order.get(i);
                order.set(i, order.get(j));
                order.set(j, swapped);
            }
            Spread a = pooled(order.subList(0, order.size() / 2));
            Spread b = pooled(order.subList(order.size() / 2, order.size()));
            double d = 0;
            for (int c = 0; c < variance.length; c++) {
                double v = variance[c] + EPS;
                double m = a.mean()[c] - b.mean()[c];
                double s = Math.sqrt((a.variance()[c] + EPS) / v) - Math.sqrt((b.variance()[c] + EPS) / v);
                d += m * m / v + s * s;
            }
            sum += d / variance.length;
        }
        return sum / HALVINGS / 4;
    }

    /** Mean and variance over batches of equal size. */
    private static Spread pooled(List<Spread> batches) {
        int channels = batches.getFirst().mean().length;
        double[] mean = new double[channels];
        double[] variance = new double[channels];
        for (int c = 0; c < channels; c++) {
            double squares = 0;
            for (Spread b : batches) {
                mean[c] += b.mean()[c] / batches.size();
                squares += (b.variance()[c] + b.mean()[c] * b.mean()[c]) / batches.size();
            }
            variance[c] = Math.max(0, squares - mean[c] * mean[c]);
        }
        return new Spread(mean, variance);
    }
}
