package io.firn.graph;

import java.util.Collections;
import java.util.List;

/**
 * Optimizer steps with PyTorch's semantics, for one parameter: (w, g, slots…, rates) → new w, new slots….
 * {@code factor} multiplies the step's learning rate (per-stage rates).
 */
public sealed interface Update extends Op {

    double factor();

    double weightDecay();

    /** Names of the optimizer's slots, in the order of the operands: state {@code NAME.slot}. */
    List<String> slots();

    @Override
    default List<Type> infer(List<Type> in) {
        Op.arity(in, 3 + slots().size());
        for (Type t : in.subList(1, in.size() - 1)) {
            Op.same(in.get(0), t);
        }
        Op.same(Rates.TYPE, in.getLast());
        return Collections.nCopies(1 + slots().size(), in.get(0));
    }

    /** v ← μ v + g + λ w; w ← w - lr · v (Nesterov: w - lr · (g + λ w + μ v)). No slot where μ = 0. */
    record Sgd(double momentum, double weightDecay, boolean nesterov, double factor) implements Update {
        @Override
        public List<String> slots() {
            return momentum == 0 ? List.of() : List.of("momentum");
        }

        @Override
        public String label() {
            return "sgd";
        }
    }

    /**
     * w ← w (1 - lr λ); m ← β₁ m + (1 - β₁) g; s ← β₂ s + (1 - β₂) g²;
     * w ← w - lr · (m / (1 - β₁ᵗ)) / (√(s / (1 - β₂ᵗ)) + ε) (Loshchilov and Hutter 2019, arXiv 1711.05101).
     */
    record AdamW(double beta1, double beta2, double eps, double weightDecay, double factor) implements Update {
        @Override
        public List<String> slots() {
            return List.of("exp_avg", "exp_avg_sq");
        }

        @Override
        public String label() {
            return "adamw";
        }
    }

    /**
     * g ← g + λ w; s ← α s + (1 - α) g²; d = √s + ε, or √(s + ε) where {@code epsInside} (TensorFlow's variant);
     * v ← μ v + g / d; w ← w - lr · v. Without momentum there is no v: w ← w - lr · g / d.
     */
    record RmsProp(double alpha, double eps, boolean epsInside, double momentum, double weightDecay, double factor)
            implements Update {
        @Override
        public List<String> slots() {
            return momentum == 0 ? List.of("square_avg") : List.of("square_avg", "momentum");
        }

        @Override
        public String label() {
            return "rmsprop";
        }
    }
}
