package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static io.firn.oracle.Samples.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.Convolution;
import io.firn.graph.Shape;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Convolutions against their definition: one loop an axis. */
class ConvolutionOracleTest {

    private static final String CASES = """
            # n, c, h, w, filters, kernel, stride, padding, groups
            2, 3, 7, 5, 4, 3, 1, 1, 1
            1, 4, 8, 8, 6, 3, 2, 1, 2
            2, 5, 6, 9, 5, 5, 1, 2, 5
            2, 4, 9, 9, 8, 5, 2, 2, 4
            1, 3, 11, 10, 2, 7, 2, 3, 1
            2, 6, 5, 5, 3, 1, 1, 0, 1
            1, 6, 5, 7, 4, 1, 2, 0, 2
            1, 2, 2, 2, 3, 3, 3, 2, 1
            1, 1, 3, 3, 1, 3, 1, 0, 1
            """;

    /** Visits every product: weight and input pixel that meet in an output pixel. */
    private static void define(Shape x, Shape w, Shape y, int stride, int padding, int groups, Product product) {
        for (int n = 0; n < y.n(); n++) {
            for (int o = 0; o < y.c(); o++) {
                for (int h = 0; h < y.h(); h++) {
                    for (int v = 0; v < y.w(); v++) {
                        for (int c = 0; c < w.dim(1); c++) {
                            for (int k = 0; k < w.h() * w.w(); k++) {
                                int ih = h * stride - padding + k / w.w();
                                int iw = v * stride - padding + k % w.w();
                                int ic = o / (y.c() / groups) * w.dim(1) + c;
                                if (ih >= 0 && ih < x.h() && iw >= 0 && iw < x.w()) {
                                    product.visit(((n * x.c() + ic) * x.h() + ih) * x.w() + iw,
                                            (o * w.dim(1) + c) * w.h() * w.w() + k,
                                            ((n * y.c() + o) * y.h() + h) * y.w() + v);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private interface Product {
        void visit(int x, int w, int y);
    }

    @ParameterizedTest
    @CsvSource(textBlock = CASES)
    void equalsItsDefinition(int n, int c, int h, int w, int filters, int kernel, int stride, int padding, int groups) {
        Shape xs = Shape.of(n, c, h, w);
        Shape ws = Shape.of(filters, c / groups, kernel, kernel);
        Shape ys = Shape.of(n, filters, (h + 2 * padding - kernel) / stride + 1,
                (w + 2 * padding - kernel) / stride + 1);
        List<Array> a = Samples.normal(xs, ws, ys);
        double[] x = a.get(0).data();
        double[] weight = a.get(1).data();
        double[] dy = a.get(2).data();
        double[] y = new double[dy.length];
        double[] dx = new double[x.length];
        double[] dw = new double[weight.length];
        define(xs, ws, ys, stride, padding, groups, (i, j, k) -> {
            y[k] += x[i] * weight[j];
            dx[i] += dy[k] * weight[j];
            dw[j] += dy[k] * x[i];
        });
        same(run(new Convolution.Forward(stride, padding, groups), a.get(0), a.get(1)).getFirst(), y);
        same(run(new Convolution.Dgrad(stride, padding, groups, h, w), a.get(2), a.get(1)).getFirst(), dx);
        same(run(new Convolution.Wgrad(stride, padding, groups, kernel), a.get(0), a.get(2)).getFirst(), dw);
    }

    @Test
    void addsTheBiasOfEachFilter() {
        Array x = array(new double[] {1, 2, 3, 4}, 1, 1, 2, 2);
        Array w = array(new double[] {1, -2}, 2, 1, 1, 1);
        Array bias = array(new double[] {10, 20}, 2);
        assertThat(run(new Convolution.Forward(1, 0, 1), x, w, bias).getFirst())
                .containsExactly(11, 12, 13, 14, 18, 16, 14, 12);
    }

    @Test
    void randomGeometriesKeepTheAdjoint() {
        Random random = new Random(3);
        for (int i = 0; i < 50; i++) {
            int kernel = 1 + random.nextInt(5);
            int padding = random.nextInt(kernel);
            int stride = 1 + random.nextInt(3);
            int side = Math.max(kernel, 2) + random.nextInt(6);
            int out = (side + 2 * padding - kernel) / stride + 1;
            List<Array> a = Samples.normal(Shape.of(2, 3, side, side), Shape.of(2, 3, kernel, kernel),
                    Shape.of(2, 2, out, out));
            double[] y = run(new Convolution.Forward(stride, padding, 1), a.get(0), a.get(1)).getFirst();
            double[] dx = run(new Convolution.Dgrad(stride, padding, 1, side, side), a.get(2), a.get(1)).getFirst();
            double[] dw = run(new Convolution.Wgrad(stride, padding, 1, kernel), a.get(0), a.get(2)).getFirst();
            double inner = dot(y, a.get(2).data());
            assertThat(dot(dx, a.get(0).data())).isCloseTo(inner, offset(1e-10));
            assertThat(dot(dw, a.get(1).data())).isCloseTo(inner, offset(1e-10));
        }
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static void same(double[] actual, double[] expected) {
        assertThat(actual).containsExactly(expected, offset(1e-11));
    }
}
