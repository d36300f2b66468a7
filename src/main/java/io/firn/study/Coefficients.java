package io.firn.study;

import io.firn.error.UserError;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/**
 * How a net grows with the compound coefficient φ (Tan and Le 2019, arXiv 1905.11946, section 3.3): depth by α^φ, channels by
 * β^φ, resolution by γ^φ. Where α·β²·γ² is 2, each step of φ doubles the FLOPs, about.
 */
public record Coefficients(double alpha, double beta, double gamma) {
    /** The paper's, found for EfficientNet-B0. */
    public static final Coefficients PAPER = new Coefficients(1.2, 1.1, 1.15);

    public Coefficients {
        if (!(alpha >= 1 && beta >= 1 && gamma >= 1) || alpha * beta * gamma > 100) {
            throw UserError.usage("--coefficients %s,%s,%s: depth, width and resolution grow by factors of at least 1", alpha,
                    beta, gamma);
        }
    }

    /** {@code 1.2,1.1,1.15}. */
    public static Coefficients of(List<Double> three) {
        if (three.size() != 3) {
            throw UserError.usage("--coefficients: give three numbers, such as 1.2,1.1,1.15");
        }
        return new Coefficients(three.get(0), three.get(1), three.get(2));
    }

    /** By how much FLOPs grow at φ = 1, but for rounding. */
    double flops() {
        return alpha * beta * beta * gamma * gamma;
    }

    /** Of how many dimensions these make a net grow. */
    long dimensions() {
        return DoubleStream.of(alpha, beta, gamma).filter(f -> f > 1).count();
    }

    /**
     * The points of a grid from 1 upwards whose {@link #flops} are 2, about.
     *
     * @param step      between values
     * @param tolerance by how much α·β²·γ² may differ from 2
     */
    static List<Coefficients> grid(double step, double tolerance) {
        List<Coefficients> all = new ArrayList<>();
        int most = (int) Math.round(1.2 / step);
        for (int a = 0; a <= most; a++) {
            for (int b = 0; b <= most; b++) {
                for (int c = 0; c <= most; c++) {
                    Coefficients k = new Coefficients(rounded(1 + a * step), rounded(1 + b * step), rounded(1 + c * step));
                    if (Math.abs(k.flops() - 2) <= tolerance) {
                        all.add(k);
                    }
                }
            }
        }
        return all;
    }

    private static double rounded(double value) {
        return Math.round(value * 1e6) / 1e6;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "α %s, β %s, γ %s", alpha, beta, gamma);
    }
}
