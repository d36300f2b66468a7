package io.firn.oracle;

import io.firn.graph.Shape;
import io.firn.graph.Type;

/**
 * What is known of an op's operand or result while {@link Magnitudes} are computed.
 *
 * @param magnitude the scale of each element's error; never less than its absolute value
 * @param margin    how far rounding must move each element, or what it came from, to change its sign; null where
 *                  nothing was rounded
 */
record Bounded(Type type, double[] value, double[] magnitude, double[] margin) {

    /** An operand that the device was given as well. */
    static Bounded given(Type type, double[] value) {
        return new Bounded(type, value, absolute(value), null);
    }

    /** A vector that was computed. */
    static Bounded computed(double[] value, double[] magnitude) {
        return new Bounded(Type.f32(value.length), value, magnitude, absolute(value));
    }

    /** Whether the device has these very elements. */
    boolean exact() {
        return margin == null;
    }

    Shape shape() {
        return type.shape();
    }

    Scalar at(int i) {
        return new Scalar(value[i], magnitude[i]);
    }

    /** What stands for the operand where an op runs on magnitudes: integers choose, and stay what they are. */
    double[] operand() {
        return type.dtype().isFloat() ? magnitude : value;
    }

    static double[] absolute(double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = Math.abs(x[i]);
        }
        return y;
    }
}
