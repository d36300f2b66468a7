package io.firn.oracle;

import java.util.Random;
import java.util.function.ToDoubleFunction;

/** Compares a gradient with a central difference along one random direction, at the cost of two evaluations. */
final class FiniteDifferences {
    /** Balances the truncation, h² · f''' / 6, with the rounding of f, 1e-16 · |f| / h. */
    private static final double STEP = 1e-5;

    private FiniteDifferences() {
    }

    /**
     * How far the gradient is from the difference, as a share of Σ |gradient · direction|: one wrong element of N shows
     * as about 1 / N.
     *
     * @param f the function of which {@code gradient} is said to be the gradient at {@code x}
     */
    static double error(ToDoubleFunction<double[]> f, double[] x, double[] gradient, long seed) {
        Random random = new Random(seed);
        double[] direction = new double[x.length];
        double analytic = 0;
        double scale = 0;
        for (int i = 0; i < x.length; i++) {
            direction[i] = random.nextGaussian();
            analytic += gradient[i] * direction[i];
            scale += Math.abs(gradient[i] * direction[i]);
        }
        double above = f.applyAsDouble(shifted(x, direction, STEP));
        double below = f.applyAsDouble(shifted(x, direction, -STEP));
        double difference = (above - below) / (2 * STEP);
        return Math.abs(difference - analytic) / scale;
    }

    private static double[] shifted(double[] x, double[] direction, double step) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = x[i] + step * direction[i];
        }
        return y;
    }
}
