package io.firn.backend.cuda.cudnn;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The operations of cuDNN's backend API that Firn uses; all compute in f32. */
public sealed interface Operation {

    List<Tensor> reads();

    List<Tensor> writes();

    /** Padding and stride of a square two-dimensional cross-correlation; groups follow from the operands' channels. */
    record Window(long padding, long stride) {
    }

    /** y = x * w. */
    record ConvolutionForward(Tensor x, Tensor w, Tensor y, Window window) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(x, w);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx from dy and w. */
    record ConvolutionDgrad(Tensor dy, Tensor w, Tensor dx, Window window) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(dy, w);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** dw from x and dy. */
    record ConvolutionWgrad(Tensor x, Tensor dy, Tensor dw, Window window) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(x, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dw);
        }
    }

    /** c [B,M,N] = a [B,M,K] · b [B,K,N]. */
    record Matmul(Tensor a, Tensor b, Tensor c) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(a, b);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(c);
        }
    }

    /** What is done element by element; a dimension of 1 is broadcast. */
    enum Mode { ADD, SUB, MUL, IDENTITY, RELU, SWISH, SIGMOID }

    /** y = mode(x) or mode(x, b). */
    record Pointwise(Mode mode, Tensor x, Optional<Tensor> b, Tensor y) implements Operation {
        @Override
        public List<Tensor> reads() {
            return Stream.concat(Stream.of(x), b.stream()).toList();
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = dy · mode'(x), for {@link Mode#RELU} and {@link Mode#SWISH}. */
    record PointwiseGrad(Mode mode, Tensor dy, Tensor x, Tensor dx) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(dy, x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** Σ x and Σ x² over all but the channels: cuDNN's genstats. */
    record Statistics(Tensor x, Tensor sum, Tensor squares) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(sum, squares);
        }
    }

    /** y = Σ x over the dimensions that are 1 in y. */
    record Sum(Tensor x, Tensor y) implements Operation {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }
}
