package io.firn.oracle;

import io.firn.graph.Convolution;
import io.firn.oracle.Products.Slice;
import java.util.Arrays;
import java.util.List;

/**
 * What {@link Convolution}s mean: products with the matrix of patches. Column (h', w') of the patches holds the pixels
 * under the kernel at output pixel (h', w'), zero where it lies over the edge; so y = w · P, dw = dy · Pᵀ, and dx adds
 * every element of wᵀ · dy to the pixel that it came from.
 */
final class ConvolutionOracle {
    private ConvolutionOracle() {
    }

    static double[] run(Convolution op, List<Array> in) {
        return switch (op) {
            case Convolution.Forward f -> forward(f, in.get(0), in.get(1), in.size() == 3 ? in.get(2) : null);
            case Convolution.Dgrad d -> dgrad(d, in.get(0), in.get(1));
            case Convolution.Wgrad w -> wgrad(w, in.get(0), in.get(1));
        };
    }

    private static double[] forward(Convolution.Forward op, Array x, Array w, Array bias) {
        int filters = w.shape().dim(0) / op.groups();
        Window window = Window.of(op, x.shape().h(), x.shape().w(), w.shape().dim(1), w.shape().dim(2));
        double[] patches = window.newPatches();
        double[] y = new double[x.shape().n() * w.shape().dim(0) * window.pixels()];
        for (int i = 0; i < x.shape().n() * op.groups(); i++) {
            window.gather(x.data(), i * window.inputs(), patches);
            Slice weights = Slice.rows(w.data(), i % op.groups() * filters * window.rows(), window.rows());
            Products.addProduct(filters, window.rows(), window.pixels(), weights, patches, 0, y,
                    i * filters * window.pixels());
        }
        if (bias != null) {
            for (int i = 0; i < y.length; i++) {
                y[i] += bias.data()[i / window.pixels() % w.shape().dim(0)];
            }
        }
        return y;
    }

    private static double[] dgrad(Convolution.Dgrad op, Array dy, Array w) {
        int filters = w.shape().dim(0) / op.groups();
        Window window = Window.of(op, op.height(), op.width(), w.shape().dim(1), w.shape().dim(2));
        double[] patches = window.newPatches();
        double[] dx = new double[dy.shape().n() * op.groups() * window.inputs()];
        for (int i = 0; i < dy.shape().n() * op.groups(); i++) {
            Arrays.fill(patches, 0);
            Slice weights = Slice.rows(w.data(), i % op.groups() * filters * window.rows(), window.rows());
            Products.addProduct(window.rows(), filters, window.pixels(), weights.transposed(), dy.data(),
                    i * filters * window.pixels(), patches, 0);
            window.scatterAdd(patches, dx, i * window.inputs());
        }
        return dx;
    }

    private static double[] wgrad(Convolution.Wgrad op, Array x, Array dy) {
        int filters = dy.shape().c() / op.groups();
        Window window = Window.of(op, x.shape().h(), x.shape().w(), x.shape().c() / op.groups(), op.kernel());
        double[] patches = window.newPatches();
        double[] dw = new double[dy.shape().c() * window.rows()];
        for (int i = 0; i < x.shape().n() * op.groups(); i++) {
            window.gather(x.data(), i * window.inputs(), patches);
            Products.addProductTransposed(filters, window.pixels(), window.rows(), dy.data(),
                    i * filters * window.pixels(), patches, 0, dw, i % op.groups() * filters * window.rows());
        }
        return dw;
    }

    /** The geometry of one group of one sample: [channels, height, width] under a square kernel. */
    private record Window(int channels, int height, int width, int kernel, int stride, int padding) {

        static Window of(Convolution op, int height, int width, int channels, int kernel) {
            return new Window(channels, height, width, kernel, op.stride(), op.padding());
        }

        int inputs() {
            return channels * height * width;
        }

        /** Rows of the patch matrix: the weights of one filter. */
        int rows() {
            return channels * kernel * kernel;
        }

        int outHeight() {
            return (height + 2 * padding - kernel) / stride + 1;
        }

        int outWidth() {
            return (width + 2 * padding - kernel) / stride + 1;
        }

        /** Columns of the patch matrix: the pixels of one filter's output. */
        int pixels() {
            return outHeight() * outWidth();
        }

        double[] newPatches() {
            return new double[rows() * pixels()];
        }

        /** Fills the patches from x; what lies over the edge is left as it is, zero. */
        void gather(double[] x, int at, double[] patches) {
            eachRun((in, out, length) -> {
                for (int i = 0; i < length; i++) {
                    patches[out + i] = x[at + in + i * stride];
                }
            });
        }

        /** The transpose of {@link #gather}. */
        void scatterAdd(double[] patches, double[] x, int at) {
            eachRun((in, out, length) -> {
                for (int i = 0; i < length; i++) {
                    x[at + in + i * stride] += patches[out + i];
                }
            });
        }

        /** Visits, for every weight and output row, the output pixels whose input lies inside the map. */
        private void eachRun(Run run) {
            int outWidth = outWidth();
            for (int row = 0; row < rows(); row++) {
                int kh = row / kernel % kernel;
                int kw = row % kernel;
                int first = Math.max(0, Math.ceilDiv(padding - kw, stride));
                int end = Math.min(outWidth, Math.floorDiv(width - 1 + padding - kw, stride) + 1);
                for (int oh = 0; oh < outHeight(); oh++) {
                    int h = oh * stride - padding + kh;
                    if (h >= 0 && h < height && first < end) {
                        int in = (row / (kernel * kernel) * height + h) * width + first * stride - padding + kw;
                        run.visit(in, row * pixels() + oh * outWidth + first, end - first);
                    }
                }
            }
        }
    }

    /** Receives where a run of pixels begins in the map and in the patch matrix; the map's are a stride apart. */
    @FunctionalInterface
    private interface Run {
        void visit(int in, int out, int length);
    }
}
