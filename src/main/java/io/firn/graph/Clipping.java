package io.firn.graph;

import java.util.List;

/** Limits on gradients as a whole. */
public sealed interface Clipping extends Op {

    /**
     * (g₁, g₂, …) → factor f32 [], norm f32 []: the norm over all elements of all gradients, and by what they are to be
     * multiplied so that it is at most {@code most}: min(1, most / (norm + 1e-6)), PyTorch's {@code clip_grad_norm_}; 0 where
     * the norm is not finite, which tells the optimizer to skip the step.
     */
    record GlobalNorm(double most) implements Clipping {
        private static final double EPS = 1e-6;

        public GlobalNorm {
            Op.check(most > 0, "a norm of at most %s", most);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1, Integer.MAX_VALUE);
            for (Type t : in) {
                Op.check(t.dtype() == DType.F32, "%s is no gradient", t);
            }
            Type scalar = new Type(DType.F32, Shape.SCALAR);
            return List.of(scalar, scalar);
        }

        /** The factor for a norm as it is stored. */
        public double factor(double norm) {
            return Double.isFinite(norm) ? Math.min(1, most / (norm + EPS)) : 0;
        }

        @Override
        public String label() {
            return "clip_norm";
        }
    }
}
