package io.firn.graph;

import java.util.List;

/**
 * Softmax cross-entropy with label smoothing (PyTorch's definition: q = (1 - ε)·onehot + ε / K), mean over the batch. Where
 * images are mixed (mixup, CutMix) there are two labels more: q = (1 - ε)·(λ onehot + (1 - λ) onehot of the partner) + ε / K,
 * PyTorch's cross-entropy with soft targets. Both take (logits f32 [N,K], labels i32 [N]), or with them (partners i32 [N],
 * rates), whose {@link Rates#MIX} is λ. A row counts where all its labels are at least 0; the others are padding.
 */
public sealed interface Loss extends Op {

    double smoothing();

    /** Whether operands of either op are those of mixed images. */
    static boolean isMixed(List<?> operands) {
        return operands.size() == 4;
    }

    /** (logits, labels, …) → loss f32 []; 0 where no row counts. */
    record SoftmaxCrossEntropy(double smoothing) implements Loss {
        @Override
        public List<Type> infer(List<Type> in) {
            checkInputs(in);
            return List.of(new Type(DType.F32, Shape.SCALAR));
        }

        @Override
        public String label() {
            return "cross_entropy";
        }
    }

    /** (logits, labels, …) → dlogits = (softmax(logits) - q) / number of labels that count; 0 in rows of padding. */
    record SoftmaxCrossEntropyGrad(double smoothing) implements Loss {
        @Override
        public List<Type> infer(List<Type> in) {
            checkInputs(in);
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return "cross_entropy_grad";
        }
    }

    private static void checkInputs(List<Type> in) {
        Op.check(in.size() == 2 || isMixed(in), "%d inputs where 2 or 4 are taken", in.size());
        Op.rank(in.get(0), 2);
        Type labels = new Type(DType.I32, Shape.of(in.get(0).shape().n()));
        Op.same(labels, in.get(1));
        if (isMixed(in)) {
            Op.same(labels, in.get(2));
            Op.same(Rates.TYPE, in.get(3));
        }
    }
}
