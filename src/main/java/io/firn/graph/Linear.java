package io.firn.graph;

import java.util.List;

/**
 * Matrix product with the transposed weight, and its gradients. Weights may be [O,K] (a classifier) or [O,K,1,1]
 * (torchvision's squeeze-and-excitation stores its products as 1x1 convolutions). All in f32: these products are tiny
 * beside the convolutions, and logits and gates want the precision.
 */
public sealed interface Linear extends Op {

    /** (x [N,K], w [O,K] or [O,K,1,1], bias [O]) → y [N,O] = x wᵀ + b. */
    record Forward() implements Linear {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 3);
            Op.rank(in.get(0), 2);
            Shape x = in.get(0).shape();
            Shape w = in.get(1).shape();
            Op.check(w.dim(1) == x.c() && w.elements() == (long) w.dim(0) * w.dim(1), "weights %s do not fit %s", w, x);
            Op.same(Type.f32(w.dim(0)), in.get(2));
            return List.of(Type.f32(x.n(), w.dim(0)));
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return 2 * in.get(1).shape().elements() * in.get(0).shape().n();
        }

        @Override
        public String label() {
            return "linear";
        }
    }

    /** (dy [N,O], w) → dx [N,K]. */
    record Dgrad() implements Linear {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            return List.of(Type.f32(in.get(0).shape().n(), in.get(1).shape().dim(1)));
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return 2 * in.get(1).shape().elements() * in.get(0).shape().n();
        }

        @Override
        public String label() {
            return "linear_dgrad";
        }
    }

    /** (x [N,K], dy [N,O]) → dw of the given shape, [O,K] or [O,K,1,1]. */
    record Wgrad(Shape weight) implements Linear {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            return List.of(new Type(DType.F32, weight));
        }

        @Override
        public long flops(List<Type> in, List<Type> out) {
            return 2 * weight.elements() * in.get(0).shape().n();
        }

        @Override
        public String label() {
            return "linear_wgrad";
        }
    }

    /** (dy [N,O]) → db [O] = Σ over the batch. */
    record BiasGrad() implements Linear {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            return List.of(Type.f32(in.get(0).shape().c()));
        }

        @Override
        public String label() {
            return "bias_grad";
        }
    }
}
