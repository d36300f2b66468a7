package io.firn.oracle;

import io.firn.graph.Rates;
import io.firn.graph.Update;
import java.util.List;

/** {@link Magnitudes} of optimizer steps; the step's numbers (rate, bias corrections) count as exact. */
final class UpdateMagnitudes {
    private UpdateMagnitudes() {
    }

    static List<double[]> of(Update op, List<Bounded> in) {
        double[] rates = in.getLast().value();
        double lr = rates[Rates.LEARNING_RATE] * op.factor();
        double step = rates[Rates.STEP];
        return Scalar.magnitudes(1 + op.slots().size(), in.getFirst().value().length, i -> {
            Scalar w = in.get(0).at(i);
            Scalar g = in.get(1).at(i);
            Scalar[] slots = new Scalar[op.slots().size()];
            for (int s = 0; s < slots.length; s++) {
                slots[s] = in.get(2 + s).at(i);
            }
            return switch (op) {
                case Update.Sgd sgd -> sgd(sgd, w, g, slots, lr);
                case Update.AdamW adam -> adamW(adam, w, g, slots, lr, step);
                case Update.RmsProp rms -> rmsProp(rms, w, g, slots, lr);
            };
        });
    }

    private static Scalar[] sgd(Update.Sgd op, Scalar w, Scalar gradient, Scalar[] slots, double lr) {
        Scalar g = gradient.plus(w.times(op.weightDecay()));
        if (op.momentum() == 0) {
            return new Scalar[] {w.minus(g.times(lr))};
        }
        Scalar v = slots[0].times(op.momentum()).plus(g);
        return new Scalar[] {w.minus((op.nesterov() ? g.plus(v.times(op.momentum())) : v).times(lr)), v};
    }

    private static Scalar[] adamW(Update.AdamW op, Scalar w, Scalar g, Scalar[] slots, double lr, double step) {
        Scalar m = slots[0].times(op.beta1()).plus(g.times(1 - op.beta1()));
        Scalar s = slots[1].times(op.beta2()).plus(g.times(g).times(1 - op.beta2()));
        Scalar d = s.over(1 - Math.pow(op.beta2(), step)).root().plus(op.eps());
        Scalar change = m.over(1 - Math.pow(op.beta1(), step)).over(d).times(lr);
        return new Scalar[] {w.times(1 - lr * op.weightDecay()).minus(change), m, s};
    }

    private static Scalar[] rmsProp(Update.RmsProp op, Scalar w, Scalar gradient, Scalar[] slots, double lr) {
        Scalar g = gradient.plus(w.times(op.weightDecay()));
        Scalar s = slots[0].times(op.alpha()).plus(g.times(g).times(1 - op.alpha()));
        Scalar scaled = g.over(op.epsInside() ? s.plus(op.eps()).root() : s.root().plus(op.eps()));
        if (op.momentum() == 0) {
            return new Scalar[] {w.minus(scaled.times(lr)), s};
        }
        Scalar v = slots[1].times(op.momentum()).plus(scaled);
        return new Scalar[] {w.minus(v.times(lr)), s, v};
    }
}
