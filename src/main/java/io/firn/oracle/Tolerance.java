package io.firn.oracle;

import io.firn.graph.DType;
import io.firn.graph.Op;

/**
 * How far a device's result may be from the oracle's: a share of each element's {@link Magnitudes magnitude}, by the
 * precision that products or stores have.
 */
public enum Tolerance {
    FP32(1e-6), TF32(1e-3), FP16(2e-3), BF16(1e-2);

    private final double share;

    Tolerance(double share) {
        this.share = share;
    }

    /** The largest error allowed, as a share of the magnitude. */
    public double share() {
        return share;
    }

    /** The tolerance of results that are stored in, or computed from, this type; integers as exact as f32. */
    public static Tolerance of(DType dtype) {
        return switch (dtype) {
            case BF16 -> BF16;
            case F16 -> FP16;
            case F32, U8, I32 -> FP32;
        };
    }

    /** Whether every element is within this tolerance. */
    public boolean holds(double[] actual, double[] expected, double[] magnitude) {
        return error(actual, expected, magnitude) <= share;
    }

    /**
     * The largest error as a share of its element's magnitude. Where the magnitude is 0 nothing but the expected value
     * will do; where it is infinite anything will; a NaN is an infinite error unless it was expected.
     */
    public static double error(double[] actual, double[] expected, double[] magnitude) {
        int worst = worst(actual, expected, magnitude);
        return worst < 0 ? 0 : error(actual[worst], expected[worst], magnitude[worst]);
    }

    /** Place of the largest error, for messages; -1 where there is none. */
    public static int worst(double[] actual, double[] expected, double[] magnitude) {
        Op.check(actual.length == expected.length && magnitude.length == expected.length,
                "%d elements, %d expected, %d magnitudes", actual.length, expected.length, magnitude.length);
        int worst = -1;
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            double error = error(actual[i], expected[i], magnitude[i]);
            if (error > largest) {
                worst = i;
                largest = error;
            }
        }
        return worst;
    }

    private static double error(double actual, double expected, double magnitude) {
        if (actual == expected || Double.isNaN(actual) && Double.isNaN(expected)) {
            return 0;
        }
        if (Double.isNaN(actual) || Double.isNaN(expected)) {
            return Double.POSITIVE_INFINITY;
        }
        // An infinite magnitude times zero is NaN.
        return Double.isNaN(magnitude) || Double.isInfinite(magnitude) ? 0 : Math.abs(actual - expected) / magnitude;
    }
}
