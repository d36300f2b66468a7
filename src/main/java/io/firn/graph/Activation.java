package io.firn.graph;

import java.util.List;

/** Pointwise non-linearities and their gradients. */
public sealed interface Activation extends Op {

    /** Which function, and from what its derivative is computed. */
    enum Kind {
        /** max(x, 0); its derivative is taken from the output, which the next layer keeps anyway. */
        RELU(true),
        /** x · σ(x) (swish); its derivative needs the input. */
        SILU(false),
        /** σ(x); its derivative is y (1 - y). */
        SIGMOID(true);

        private final boolean fromOutput;

        Kind(boolean fromOutput) {
            this.fromOutput = fromOutput;
        }

        /** Whether {@link Grad} takes the forward op's output (else its input) as its second operand. */
        public boolean gradFromOutput() {
            return fromOutput;
        }
    }

    Kind kind();

    /** (x) → f(x). */
    record Forward(Kind kind) implements Activation {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 1);
            return in;
        }

        @Override
        public String label() {
            return kind.name().toLowerCase();
        }
    }

    /** (dy, saved) → dx, where saved is y or x by {@link Kind#gradFromOutput()}. */
    record Grad(Kind kind) implements Activation {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.same(in.get(0), in.get(1));
            return List.of(in.get(0));
        }

        @Override
        public String label() {
            return kind.name().toLowerCase() + "_grad";
        }
    }
}
