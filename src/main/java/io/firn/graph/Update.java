package io.firn.graph;

import java.util.Collections;
import java.util.List;

/**
 * What becomes of a state at the end of a step: (state, value, slots…, rates) → new state, new slots…, all of one type but
 * the {@link Rates}.
 */
public sealed interface Update extends Op {

    /** Names of the slots, in the order of the operands: state {@code NAME.slot}. */
    default List<String> slots() {
        return List.of();
    }

    /** Place of the rates among the operands. */
    default int ratesAt() {
        return 2 + slots().size();
    }

    @Override
    default List<Type> infer(List<Type> in) {
        Op.arity(in, ratesAt() + 1);
        return results(in);
    }

    private List<Type> results(List<Type> in) {
        for (Type t : in.subList(1, ratesAt())) {
            Op.same(in.get(0), t);
        }
        Op.same(Rates.TYPE, in.get(ratesAt()));
        return Collections.nCopies(1 + slots().size(), in.get(0));
    }

    /**
     * An optimizer's step with PyTorch's semantics, for one parameter: (w, g, slots…, rates) → new w, new slots…. After the
     * rates there may be a factor f32 [] of the gradient ({@link Clipping}); where it is 0 the step is skipped, and all stays
     * as it is. And after it the state of {@link Scaling}, whose skipped steps AdamW does not count.
     */
    sealed interface Step extends Update {

        /** Multiplies the step's learning rate (per-stage rates). */
        double factor();

        double weightDecay();

        /** What a slot begins with. */
        default double initial(String slot) {
            return 0;
        }

        @Override
        default List<Type> infer(List<Type> in) {
            Op.arity(in, ratesAt() + 1, ratesAt() + 3);
            if (isScaled(in)) {
                Op.same(new Type(DType.F32, Shape.SCALAR), in.get(ratesAt() + 1));
            }
            if (countsSkipped(in)) {
                Op.same(Scaling.TYPE, in.getLast());
            }
            return Update.super.results(in);
        }

        /** Whether the operand after the rates is a factor of the gradient. */
        default boolean isScaled(List<?> operands) {
            return operands.size() > ratesAt() + 1;
        }

        /** Whether the last operand is the state of a loss's scale. */
        default boolean countsSkipped(List<?> operands) {
            return operands.size() == ratesAt() + 3;
        }
    }

    /** v ← μ v + g + λ w; w ← w - lr · v (Nesterov: w - lr · (g + λ w + μ v)). No slot where μ = 0. */
    record Sgd(double momentum, double weightDecay, boolean nesterov, double factor) implements Step {
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
    record AdamW(double beta1, double beta2, double eps, double weightDecay, double factor) implements Step {
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
     * g ← g + λ w; s ← α s + (1 - α) g²; v ← μ v + g / (√s + ε); w ← w - lr · v; without momentum there is no v:
     * w ← w - lr · g / (√s + ε). TensorFlow's variant has ε inside the root, the rate inside the momentum
     * (v ← μ v + lr · g / √(s + ε); w ← w - v), and s begins with one.
     */
    record RmsProp(double alpha, double eps, boolean tensorflow, double momentum, double weightDecay, double factor)
            implements Step {
        private static final String SQUARES = "square_avg";

        @Override
        public List<String> slots() {
            return momentum == 0 ? List.of(SQUARES) : List.of(SQUARES, "momentum");
        }

        @Override
        public double initial(String slot) {
            return tensorflow && slot.equals(SQUARES) ? 1 : 0;
        }

        @Override
        public String label() {
            return "rmsprop";
        }
    }

    /**
     * Layer-wise adaptive rates (You et al. 2017, arXiv 1708.03888): v ← μ v + r (g + λ w); w ← w - lr · v, where
     * r = η ‖w‖ / (‖g‖ + λ ‖w‖ + ε) over the whole tensor. r is 1 where either norm is 0, and without weight decay: norms
     * and biases that do not decay are not adapted either.
     */
    record Lars(double momentum, double coefficient, double eps, double weightDecay, double factor) implements Step {
        @Override
        public List<String> slots() {
            return List.of("momentum");
        }

        /** r, from the norms of the weights and of their gradient. */
        public double trust(double weights, double gradient) {
            return weightDecay == 0 || weights == 0 || gradient == 0 ? 1
                    : coefficient * weights / (gradient + weightDecay * weights + eps);
        }

        @Override
        public String label() {
            return "lars";
        }
    }

    /** (average, value, rates) → average + (1 - decay) (value - average): an exponential moving average. */
    record Average(double decay) implements Update {
        @Override
        public String label() {
            return "average";
        }
    }

    /**
     * (sum, g, rates) → sum + g / batches, or g / batches alone where {@link Rates#KEEP} is 0: the mean gradient of a
     * step's micro-batches, once all are added.
     */
    record Accumulate(int batches) implements Update {
        @Override
        public String label() {
            return "accumulate";
        }
    }
}
