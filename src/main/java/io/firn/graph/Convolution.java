package io.firn.graph;

import java.util.List;

/** Grouped two-dimensional convolution (cross-correlation, as in every framework) and its two gradients. */
public sealed interface Convolution extends Op {

    int stride();

    int padding();

    int groups();

    /** Whether each group has one input and one output channel. */
    static boolean isDepthwise(int groups, Shape weight) {
        return groups > 1 && groups == weight.dim(0) && weight.dim(1) == 1;
    }

    /** (x [N,C,H,W], w [O,C/g,K,K], optional bias f32 [O]) → y [N,O,H',W'], H' = (H + 2p - K) / s + 1. */
    record Forward(int stride, int padding, int groups) implements Convolution {
        public Forward {
            checkAttributes(stride, padding, groups);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2, 3);
            Type x = in.get(0);
            Type w = in.get(1);
            Op.rank(x, 4);
            Op.rank(w, 4);
            Op.check(w.shape().dim(2) == w.shape().dim(3), "kernel of %s is no square", w);
            Op.check(x.dtype() == w.dtype(), "convolution of %s with weights of %s", x, w);
            Op.check(x.shape().c() == w.shape().dim(1) * groups, "weights %s do not fit %s in %d groups", w, x, groups);
            Op.check(w.shape().dim(0) % groups == 0, "%d filters in %d groups", w.shape().dim(0), groups);
            if (in.size() == 3) {
                Op.same(Type.f32(w.shape().dim(0)), in.get(2));
            }
            int h = extent(x.shape().h(), w.shape().dim(2));
            int wd = extent(x.shape().w(), w.shape().dim(3));
            return List.of(new Type(x.dtype(), Shape.of(x.shape().n(), w.shape().dim(0), h, wd)));
        }

        private int extent(int in, int kernel) {
            Op.check(in + 2 * padding >= kernel, "a map of %d pixels is too small for a kernel of %d", in, kernel);
            return (in + 2 * padding - kernel) / stride + 1;
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return multiplyAdds(in.get(1).shape(), out.get(0).shape());
        }

        @Override
        public String label() {
            return groups > 1 ? "conv_grouped" : "conv";
        }
    }

    /** (dy [N,O,H',W'], w [O,C/g,K,K]) → dx [N,C,height,width]. */
    record Dgrad(int stride, int padding, int groups, int height, int width) implements Convolution {
        public Dgrad {
            checkAttributes(stride, padding, groups);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Type dy = in.get(0);
            Shape w = in.get(1).shape();
            return List.of(new Type(dy.dtype(), Shape.of(dy.shape().n(), w.dim(1) * groups, height, width)));
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return multiplyAdds(in.get(1).shape(), in.get(0).shape());
        }

        @Override
        public String label() {
            return "conv_dgrad";
        }
    }

    /** (x [N,C,H,W], dy [N,O,H',W']) → dw f32 [O,C/g,kernel,kernel]. */
    record Wgrad(int stride, int padding, int groups, int kernel) implements Convolution {
        public Wgrad {
            checkAttributes(stride, padding, groups);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Shape x = in.get(0).shape();
            return List.of(Type.f32(in.get(1).shape().c(), x.c() / groups, kernel, kernel));
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return multiplyAdds(out.get(0).shape(), in.get(1).shape());
        }

        @Override
        public String label() {
            return "conv_wgrad";
        }
    }

    private static void checkAttributes(int stride, int padding, int groups) {
        Op.check(stride >= 1 && padding >= 0 && groups >= 1, "stride %d, padding %d, groups %d", stride, padding, groups);
    }

    private static long multiplyAdds(Shape weight, Shape y) {
        return 2 * y.elements() * weight.dim(1) * weight.dim(2) * weight.dim(3);
    }
}
