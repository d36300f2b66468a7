package io.firn.graph;

import java.util.ArrayList;
import java.util.List;

/**
 * A loss that is multiplied, so that gradients are not too small for f16, and gradients that are divided again. How far it
 * is multiplied is found out as training goes on (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2): a step whose
 * gradients are not finite is skipped and halves the scale, and a run of finite ones doubles it, as in PyTorch's
 * {@code GradScaler}. The scale is a state of three numbers on the device, since whoever begins the next step does not know
 * yet how this one ended.
 */
public sealed interface Scaling extends Op {
    /** Name of the state. */
    String STATE = "loss_scale";
    /** Place in the state: the scale is 2^({@link #FIRST} + this), so that training begins with zeros. */
    int EXPONENT = 0;
    /** Steps in a row whose gradients were finite since the scale has changed. */
    int FINITE = 1;
    /** Steps that were skipped, which AdamW does not count. */
    int SKIPPED = 2;
    Type TYPE = Type.f32(3);
    /** Power of two that training begins with: a scale of 65536. */
    int FIRST = 16;
    /** The largest exponent, which gradients that are zeros would otherwise drive out of f32. */
    int MOST = 8;
    /** Finite steps that double the scale. */
    int PATIENCE = 2000;

    /** The scale that a state says. */
    static double scale(double[] state) {
        return Math.scalb(1.0, FIRST + (int) Math.rint(state[EXPONENT]));
    }

    /** (dy f32, state) → dy · scale. */
    record Scale() implements Scaling {
        @Override
        public List<Type> infer(List<Type> in) {
            Op.arity(in, 2);
            Op.check(in.getFirst().dtype() == DType.F32, "%s is no gradient of a loss", in.getFirst());
            Op.same(TYPE, in.getLast());
            return List.of(in.getFirst());
        }

        @Override
        public String label() {
            return "loss_scale";
        }
    }

    /**
     * (state, g₁, g₂, …) → factor f32 [], norm f32 [], state: what {@link Clipping.GlobalNorm} is to gradients that are not
     * scaled. The norm is that of the gradients without the scale, which the factor takes out of them; it is 0 where the
     * norm is not finite.
     *
     * @param most limit of the norm; infinite for none
     */
    record Unscale(double most) implements Scaling {
        public Unscale {
            Op.check(most > 0, "a norm of at most %s", most);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Op.check(in.size() > 1, "no gradients");
            Op.same(TYPE, in.getFirst());
            List<Type> out = new ArrayList<>(new Clipping.GlobalNorm(most).infer(in.subList(1, in.size())));
            out.add(TYPE);
            return out;
        }

        /** The factor for a norm, the scale taken out of it already. */
        public double factor(double norm, double[] state) {
            return new Clipping.GlobalNorm(most).factor(norm) / scale(state);
        }

        /** The state that follows. */
        public double[] next(double norm, double[] state) {
            if (!Double.isFinite(norm)) {
                return new double[] {state[EXPONENT] - 1, 0, state[SKIPPED] + 1};
            }
            boolean grows = state[FINITE] + 1 >= PATIENCE;
            return new double[] {grows ? Math.min(MOST, state[EXPONENT] + 1) : state[EXPONENT],
                grows ? 0 : state[FINITE] + 1, state[SKIPPED]};
        }

        @Override
        public String label() {
            return "unscale";
        }
    }
}
