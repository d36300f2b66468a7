package io.firn.graph;

import java.util.List;

/**
 * Batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) and its parts.
 * Models hold {@link BatchNorm}; planning turns it into {@link Affine} + {@link Apply} where it is evaluated or frozen,
 * and after differentiation into {@link Statistics}, {@link Finalise} and {@link Apply}, since fusion and
 * synchronisation across ranks need the parts.
 */
public sealed interface Normalization extends Op {

    /**
     * Training mode, whole: (x, weight [C], bias [C], running_mean [C], running_var [C]) → y, mean [C], invstd [C],
     * new running_mean, new running_var. {@code momentum} is the weight of the new value (PyTorch's sense); the running
     * variance takes the unbiased estimate; y uses the biased one: y = (x - mean) · invstd · weight + bias,
     * invstd = 1 / √(var + eps).
     */
    record BatchNorm(double eps, double momentum) implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 5);
            vectors(in.get(0), in, 1);
            Type v = in.get(1);
            return List.of(in.get(0), v, v, v, v);
        }

        @Override
        public String label() {
            return "batch_norm";
        }
    }

    /**
     * (x) → Σ x [C], Σ x² [C] over N, H and W. In f32 this loses what {@link BatchNorm} has where |mean| is far above
     * the deviation; after a convolution it is not.
     */
    record Statistics() implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            Op.rank(in.get(0), 4);
            Type v = Type.f32(in.get(0).shape().c());
            return List.of(v, v);
        }

        @Override
        public String label() {
            return "bn_statistics";
        }
    }

    /**
     * (Σ x, Σ x², weight, bias, running_mean, running_var) → mean, invstd, scale = weight · invstd,
     * shift = bias - mean · scale, new running_mean, new running_var; {@code count} is the number of values a channel.
     * The variance Σ x² / count - mean² is at least 0, and of a single value the unbiased estimate is 0 as well.
     */
    record Finalise(double eps, double momentum, long count) implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 6);
            Type v = in.get(0);
            return List.of(v, v, v, v, v, v);
        }

        @Override
        public String label() {
            return "bn_finalise";
        }
    }

    /** Evaluation mode: (weight, bias, running_mean, running_var) → scale, shift. */
    record Affine(double eps) implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 4);
            return List.of(in.get(0), in.get(0));
        }

        @Override
        public String label() {
            return "bn_affine";
        }
    }

    /** (x, scale [C], optional shift [C]) → x · scale + shift. */
    record Apply() implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2, 3);
            vectors(in.get(0), in, 1);
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "bn_apply";
        }
    }

    /** (dy, x, mean, invstd) → dweight = Σ dy · (x - mean) · invstd, dbias = Σ dy; both [C]. */
    record GradSums() implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 4);
            Op.same(in.get(0), in.get(1));
            vectors(in.get(0), in, 2);
            return List.of(in.get(2), in.get(2));
        }

        @Override
        public String label() {
            return "bn_grad_sums";
        }
    }

    /**
     * (dy, x, weight, mean, invstd, dweight, dbias) →
     * dx = weight · invstd · (dy - dbias / count - (x - mean) · invstd · dweight / count).
     */
    record GradApply(long count) implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 7);
            Op.same(in.get(0), in.get(1));
            vectors(in.get(0), in, 2);
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "bn_grad_apply";
        }
    }

    /** Folds a batch norm into the convolution before it: (w [O,…], scale [O]) → w · scale, by output channel. */
    record FoldWeight() implements Normalization {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.same(Type.f32(in.get(0).shape().dim(0)), in.get(1));
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "fold_weight";
        }
    }

    private static void vectors(Type x, List<Type> in, int from) {
        for (Type v : in.subList(from, in.size())) {
            Op.channelVector(x, v);
        }
    }
}
