package io.firn.oracle;

import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * A number with its {@link Magnitudes magnitude}, and arithmetic that carries both: formulas written with it give the
 * scale of their rounding errors. A product keeps the larger of what its two factors are off by, at least half of the
 * first order, so that given numbers multiply to their absolute product.
 */
record Scalar(double value, double magnitude) {

    /** A number as it is given. */
    static Scalar of(double value) {
        return new Scalar(value, Math.abs(value));
    }

    Scalar plus(Scalar b) {
        return new Scalar(value + b.value, magnitude + b.magnitude);
    }

    Scalar plus(double b) {
        return plus(of(b));
    }

    Scalar minus(Scalar b) {
        return new Scalar(value - b.value, magnitude + b.magnitude);
    }

    Scalar times(Scalar b) {
        return new Scalar(value * b.value, Math.max(Math.abs(value) * b.magnitude, magnitude * Math.abs(b.value)));
    }

    Scalar times(double b) {
        return times(of(b));
    }

    /** d(a / b) = da / b - a db / b². */
    Scalar over(Scalar b) {
        double quotient = value / b.value;
        double divisor = Math.abs(b.value);
        return new Scalar(quotient, Math.max(magnitude / divisor, Math.abs(quotient) / divisor * b.magnitude));
    }

    Scalar over(double b) {
        return over(of(b));
    }

    /** d√a = da / 2√a; of nothing but zero terms it is exact. */
    Scalar root() {
        double root = Math.sqrt(value);
        return new Scalar(root, root == 0 ? 0 : Math.max(root, magnitude / (2 * root)));
    }

    /** 0 where rounding made a number that cannot be negative so. */
    Scalar orZero() {
        return new Scalar(Math.max(0, value), magnitude);
    }

    /** Of several vectors, computed an element of each at a time. */
    static List<double[]> magnitudes(int count, int length, IntFunction<Scalar[]> element) {
        List<double[]> vectors = IntStream.range(0, count).mapToObj(k -> new double[length]).toList();
        for (int i = 0; i < length; i++) {
            Scalar[] scalars = element.apply(i);
            for (int k = 0; k < count; k++) {
                vectors.get(k)[i] = scalars[k].magnitude();
            }
        }
        return vectors;
    }
}
