package io.firn.models;

/**
 * Compound scaling of EfficientNet (Tan and Le 2019, arXiv 1905.11946, section 3.3): depth α^φ, width β^φ and resolution
 * γ^φ, found by a grid search at φ = 1; and the rounding of both factors. The named variants B1 to B7 do not follow the
 * formula to the digit, so they keep their table.
 */
public final class Scaling {
    public static final double ALPHA = 1.2;
    public static final double BETA = 1.1;
    public static final double GAMMA = 1.15;
    /** Channel counts are multiples of this. */
    private static final int DIVISOR = 8;

    private Scaling() {
    }

    public static double depth(double phi) {
        return Math.pow(ALPHA, phi);
    }

    public static double width(double phi) {
        return Math.pow(BETA, phi);
    }

    /** Pixels of the side, from those at φ = 0. */
    public static int resolution(int base, double phi) {
        return (int) Math.round(base * Math.pow(GAMMA, phi));
    }

    /** {@code base · width} to the nearest multiple of 8, but at least 8 and never below 90 % of the product. */
    static int channels(int base, double width) {
        double exact = base * width;
        int rounded = Math.max(DIVISOR, (int) (exact + DIVISOR / 2.0) / DIVISOR * DIVISOR);
        return rounded < 0.9 * exact ? rounded + DIVISOR : rounded;
    }

    /** {@code base · depth}, rounded up. */
    static int repeats(int base, double depth) {
        return (int) Math.ceil(base * depth);
    }
}
