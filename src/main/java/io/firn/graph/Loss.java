package io.firn.graph;

import java.util.List;

/** Softmax cross-entropy with label smoothing (PyTorch's definition: q = (1 - ε)·onehot + ε / K), mean over the batch. */
public sealed interface Loss extends Op {

    double smoothing();

    /** (logits f32 [N,K], labels i32 [N]) → loss f32 []. Labels below 0 are padding and count for nothing; where none counts the loss is 0. */
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

    /** (logits, labels) → dlogits = (softmax(logits) - q) / number of labels that count; 0 in rows of padding. */
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
        Op.arity(in, 2);
        Op.rank(in.get(0), 2);
        Op.same(new Type(DType.I32, Shape.of(in.get(0).shape().n())), in.get(1));
    }
}
