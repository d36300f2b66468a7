package io.firn.oracle;

import io.firn.graph.DType;
import io.firn.graph.Op;
import io.firn.graph.Shape;
import io.firn.graph.Type;

/** A dense tensor in double precision: its elements in logical row-major order ([N, C, H, W] for activations). */
record Array(Type type, double[] data) {

    Array {
        Op.check(data.length == type.shape().elements(), "%d elements for %s", data.length, type);
    }

    Shape shape() {
        return type.shape();
    }

    /** The elements as they are read back after being stored in {@code dtype}. */
    static double[] round(DType dtype, double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = dtype.round(x[i]);
        }
        return y;
    }

    /** A function of an element's place and of its channel. */
    @FunctionalInterface
    interface Term {
        double at(int i, int channel);
    }

    /** An array like {@code shape} with every element computed on its own. */
    static double[] map(Shape shape, Term f) {
        double[] y = new double[(int) shape.elements()];
        eachPlane(shape, (channel, from, to) -> {
            for (int i = from; i < to; i++) {
                y[i] = f.at(i, channel);
            }
        });
        return y;
    }

    /** The terms of each channel, added up over samples and pixels. */
    static double[] channelSums(Shape shape, Term f) {
        double[] sums = new double[shape.c()];
        eachPlane(shape, (channel, from, to) -> {
            double sum = 0;
            for (int i = from; i < to; i++) {
                sum += f.at(i, channel);
            }
            sums[channel] += sum;
        });
        return sums;
    }

    /** The terms of each sample's channel, added up over its pixels: [N, C]. */
    static double[] planeSums(Shape shape, Term f) {
        double[] sums = new double[shape.n() * shape.c()];
        eachPlane(shape, (channel, from, to) -> {
            for (int i = from; i < to; i++) {
                sums[from / shape.area()] += f.at(i, channel);
            }
        });
        return sums;
    }

    /** Receives the pixels of one sample's channel, as a range of places. */
    @FunctionalInterface
    private interface Plane {
        void visit(int channel, int from, int to);
    }

    private static void eachPlane(Shape shape, Plane visitor) {
        int area = shape.area();
        int channels = shape.rank() > 1 ? shape.c() : 1;
        int planes = (int) (shape.elements() / area);
        for (int p = 0; p < planes; p++) {
            visitor.visit(p % channels, p * area, (p + 1) * area);
        }
    }
}
