package io.firn.oracle;

import io.firn.graph.Pooling;
import io.firn.graph.Shape;
import java.util.List;

/** {@link Magnitudes} of maximum pooling, whose index jumps where two maxima are near each other. */
final class PoolingMagnitudes {
    private PoolingMagnitudes() {
    }

    /**
     * A maximum moves by no more than its window's largest magnitude. The index is exact, unless x was computed and
     * another element comes within the tolerance of the maximum.
     */
    static List<double[]> max(Pooling.Max op, Bounded x, List<double[]> out, Tolerance tolerance) {
        Shape in = x.shape();
        Shape shape = op.infer(List.of(x.type())).getFirst().shape();
        double[] y = Interpreter.run(op, List.of(x.type()), List.of(x.magnitude())).getFirst();
        double[] index = new double[y.length];
        if (x.exact()) {
            return List.of(y, index);
        }
        for (int i = 0; i < y.length; i++) {
            for (int k = 0; k < op.kernel() * op.kernel(); k++) {
                int at = place(op.kernel(), op.stride(), op.padding(), shape, i, k, in.h(), in.w());
                if (k != (int) out.get(1)[i] && at >= 0
                        && out.get(0)[i] - x.value()[at] <= tolerance.share() * (x.magnitude()[at] + y[i])) {
                    index[i] = Double.POSITIVE_INFINITY;
                }
            }
        }
        return List.of(y, index);
    }

    /** A sum of what the index sends to each pixel; where an index is open, so is its whole window. */
    static List<double[]> maxGrad(Pooling.MaxGrad op, Bounded dy, Bounded index) {
        List<double[]> sums = Magnitudes.ofSums(op, List.of(dy, index));
        for (int i = 0; i < dy.value().length; i++) {
            boolean open = !index.exact() && Double.isInfinite(index.magnitude()[i]);
            for (int k = 0; open && k < op.kernel() * op.kernel(); k++) {
                int at = place(op.kernel(), op.stride(), op.padding(), dy.shape(), i, k, op.height(), op.width());
                if (at >= 0) {
                    sums.getFirst()[at] = Double.POSITIVE_INFINITY;
                }
            }
        }
        return sums;
    }

    /** Where place {@code k} of output {@code i}'s window lies in the map, or -1 where that is padding. */
    private static int place(int kernel, int stride, int padding, Shape out, int i, int k, int height, int width) {
        int h = i / out.w() % out.h() * stride - padding + k / kernel;
        int w = i % out.w() * stride - padding + k % kernel;
        return h < 0 || h >= height || w < 0 || w >= width ? -1 : (i / out.area() * height + h) * width + w;
    }
}
