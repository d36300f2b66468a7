package io.firn.oracle;

import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import java.util.List;

/** What the ops mean that move pixels or take them together: {@link Pooling} and parameter-free {@link Shortcut}s. */
final class PoolingOracle {
    private PoolingOracle() {
    }

    static List<double[]> run(Pooling op, List<Array> in, Shape out) {
        double[] x = in.get(0).data();
        Shape shape = in.get(0).shape();
        return switch (op) {
            case Pooling.Max m -> max(m, x, shape, out);
            case Pooling.MaxGrad g -> List.of(maxGrad(g, x, in.get(1).data(), shape));
            case Pooling.GlobalAverage g -> List.of(Array.planeSums(shape, (i, c) -> x[i] / shape.area()));
            case Pooling.GlobalAverageGrad g -> List.of(Array.map(out, (i, c) -> x[i / out.area()] / out.area()));
        };
    }

    private static List<double[]> max(Pooling.Max op, double[] x, Shape in, Shape out) {
        double[] y = new double[(int) out.elements()];
        double[] index = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            int plane = i / out.area();
            int top = i / out.w() % out.h() * op.stride() - op.padding();
            int left = i % out.w() * op.stride() - op.padding();
            y[i] = Double.NEGATIVE_INFINITY;
            for (int k = 0; k < op.kernel() * op.kernel(); k++) {
                int h = top + k / op.kernel();
                int w = left + k % op.kernel();
                if (h < 0 || h >= in.h() || w < 0 || w >= in.w()) {
                    continue;
                }
                double candidate = x[(plane * in.h() + h) * in.w() + w];
                if (candidate > y[i] || Double.isNaN(candidate)) {
                    y[i] = candidate;
                    index[i] = k;
                }
            }
        }
        return List.of(y, index);
    }

    private static double[] maxGrad(Pooling.MaxGrad op, double[] dy, double[] index, Shape out) {
        double[] dx = new double[out.n() * out.c() * op.height() * op.width()];
        for (int i = 0; i < dy.length; i++) {
            int k = (int) index[i];
            int h = i / out.w() % out.h() * op.stride() - op.padding() + k / op.kernel();
            int w = i % out.w() * op.stride() - op.padding() + k % op.kernel();
            dx[(i / out.area() * op.height() + h) * op.width() + w] += dy[i];
        }
        return dx;
    }

    static double[] run(Shortcut op, List<Array> in, Shape out) {
        double[] x = in.get(0).data();
        Shape shape = in.get(0).shape();
        double[] y = new double[(int) out.elements()];
        switch (op) {
            case Shortcut.Pad p -> eachPair(out, shape, p.stride(), (wide, narrow) -> y[wide] = x[narrow]);
            case Shortcut.PadGrad p -> eachPair(shape, out, p.stride(), (wide, narrow) -> y[narrow] = x[wide]);
        }
        return y;
    }

    /** Visits the places of the shortcut's output that are copies, each with the place that it copies. */
    private static void eachPair(Shape wide, Shape narrow, int stride, Pair pair) {
        int before = (wide.c() - narrow.c()) / 2;
        for (int n = 0; n < wide.n(); n++) {
            for (int c = 0; c < narrow.c(); c++) {
                for (int h = 0; h < wide.h(); h++) {
                    for (int w = 0; w < wide.w(); w++) {
                        pair.visit(((n * wide.c() + before + c) * wide.h() + h) * wide.w() + w,
                                ((n * narrow.c() + c) * narrow.h() + h * stride) * narrow.w() + w * stride);
                    }
                }
            }
        }
    }

    @FunctionalInterface
    private interface Pair {
        void visit(int wide, int narrow);
    }
}
