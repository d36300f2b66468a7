package io.firn.oracle;

import io.firn.graph.Loss;
import io.firn.graph.Op;
import io.firn.graph.Rates;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What a loss wants each row's probabilities to be.
 *
 * @param partners second labels; the labels themselves where nothing is mixed
 * @param lambda   share of the first labels
 */
record Targets(double[] labels, double[] partners, double lambda, double smoothing, int classes) {

    static Targets of(Loss op, List<double[]> in, int classes) {
        boolean mixed = Loss.isMixed(in);
        Targets t = new Targets(in.get(1), mixed ? in.get(2) : in.get(1), mixed ? in.get(3)[Rates.MIX] : 1, op.smoothing(),
                classes);
        for (int n = 0; n < t.labels.length; n++) {
            double label = Math.max(t.labels[n], t.partners[n]);
            Op.check(label < classes, "label %.0f of %d classes", label, classes);
        }
        return t;
    }

    boolean counts(int row) {
        return labels[row] >= 0 && partners[row] >= 0;
    }

    /** Rows that count. */
    long counted() {
        return IntStream.range(0, labels.length).filter(this::counts).count();
    }

    double of(int row, int k) {
        double hard = (k == (int) labels[row] ? lambda : 0) + (k == (int) partners[row] ? 1 - lambda : 0);
        return smoothing / classes + (1 - smoothing) * hard;
    }
}
