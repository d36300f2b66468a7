package io.firn.graph;

import java.util.List;

/** Maximum and global average pooling, and their gradients. */
public sealed interface Pooling extends Op {

    /**
     * (x [N,C,H,W]) → y [N,C,H',W'], index u8: position kh · kernel + kw of the first maximum in its window, which may
     * lie over padding's edge but never in it.
     */
    record Max(int kernel, int stride, int padding) implements Pooling {
        public Max {
            Op.check(padding < kernel, "a window of %d would lie wholly in a padding of %d", kernel, padding);
            Op.check(kernel * kernel <= 256, "a place in a window of %d does not fit u8", kernel);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Op.rank(in.get(0), 4);
            Shape x = in.get(0).shape();
            Shape y = Shape.of(x.n(), x.c(), (x.h() + 2 * padding - kernel) / stride + 1,
                    (x.w() + 2 * padding - kernel) / stride + 1);
            return List.of(new Type(in.get(0).dtype(), y), new Type(DType.U8, y));
        }

        @Override
        public String label() {
            return "max_pool";
        }
    }

    /** (dy [N,C,H',W'], index) → dx [N,C,height,width]. */
    record MaxGrad(int kernel, int stride, int padding, int height, int width) implements Pooling {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Shape dy = in.get(0).shape();
            return List.of(new Type(in.get(0).dtype(), Shape.of(dy.n(), dy.c(), height, width)));
        }

        @Override
        public String label() {
            return "max_pool_grad";
        }
    }

    /** (x [N,C,H,W]) → mean over H and W, f32 [N,C]. */
    record GlobalAverage() implements Pooling {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Op.rank(in.get(0), 4);
            return List.of(Type.f32(in.get(0).shape().n(), in.get(0).shape().c()));
        }

        @Override
        public String label() {
            return "global_average";
        }
    }

    /** (dy f32 [N,C]) → dx = dy / (H · W) at every pixel of the given type [N,C,H,W]. */
    record GlobalAverageGrad(Type x) implements Pooling {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Op.same(Type.f32(x.shape().n(), x.shape().c()), in.get(0));
            return List.of(x);
        }

        @Override
        public String label() {
            return "global_average_grad";
        }
    }
}
