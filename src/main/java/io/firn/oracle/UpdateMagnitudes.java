package io.firn.oracle;

import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.Update;
import java.util.List;
import java.util.function.BinaryOperator;

/** {@link Magnitudes} of updates; the step's numbers (rate, bias corrections) count as exact. */
final class UpdateMagnitudes {
    private UpdateMagnitudes() {
    }

    static List<double[]> of(Update op, List<Bounded> in) {
        double[] rates = in.get(op.ratesAt()).value();
        return switch (op) {
            case Update.Step step -> step(step, in, rates);
            case Update.Average a -> one(in, (average, value) -> average.plus(value.minus(average).times(1 - a.decay())));
            case Update.Accumulate a -> one(in, (sum, g) -> rates[Rates.KEEP] == 0 ? g.over(a.batches())
                    : sum.plus(g.over(a.batches())));
        };
    }

    private static List<double[]> one(List<Bounded> in, BinaryOperator<Scalar> formula) {
        return Scalar.magnitudes(1, in.getFirst().value().length,
                i -> new Scalar[] {formula.apply(in.get(0).at(i), in.get(1).at(i))});
    }

    private static List<double[]> step(Update.Step op, List<Bounded> in, double[] rates) {
        Scalar scale = op.isScaled(in) ? in.get(op.ratesAt() + 1).at(0) : Scalar.of(1);
        double lr = scale.value() == 0 ? 0 : rates[Rates.LEARNING_RATE] * op.factor();
        double step = UpdateOracle.count(op, in.stream().map(Bounded::value).toList());
        Scalar trust = op instanceof Update.Lars lars ? Scalar.of(lars.trust(UpdateOracle.norm(in.get(0).value()),
                scale.value() * UpdateOracle.norm(in.get(1).value()))) : Scalar.of(1);
        return Scalar.magnitudes(1 + op.slots().size(), in.getFirst().value().length, i -> {
            Scalar w = in.get(0).at(i);
            Scalar g = in.get(1).at(i).times(scale);
            Scalar[] slots = new Scalar[op.slots().size()];
            for (int s = 0; s < slots.length; s++) {
                slots[s] = in.get(2 + s).at(i);
            }
            return switch (op) {
                case Update.Sgd sgd -> sgd(sgd, w, g, slots, lr);
                case Update.AdamW adam -> adamW(adam, w, g, slots, lr, step);
                case Update.RmsProp rms -> rmsProp(rms, w, g, slots, lr);
                case Update.Lars lars -> lars(lars, w, g, slots, lr, trust);
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
        Scalar scaled = g.over(op.tensorflow() ? s.plus(op.eps()).root() : s.root().plus(op.eps()));
        if (op.momentum() == 0) {
            return new Scalar[] {w.minus(scaled.times(lr)), s};
        }
        Scalar v = slots[1].times(op.momentum()).plus(op.tensorflow() ? scaled.times(lr) : scaled);
        return new Scalar[] {w.minus(op.tensorflow() ? v : v.times(lr)), s, v};
    }

    private static Scalar[] lars(Update.Lars op, Scalar w, Scalar g, Scalar[] slots, double lr, Scalar trust) {
        Scalar v = slots[0].times(op.momentum()).plus(g.plus(w.times(op.weightDecay())).times(trust));
        return new Scalar[] {w.minus(v.times(lr)), v};
    }

    /** Of a norm and of the factor that follows from it: as exact as themselves. */
    static List<double[]> of(List<double[]> out) {
        return out.stream().map(Bounded::absolute).toList();
    }

    /** Of what a power of two multiplies; else as above. */
    static List<double[]> of(Scaling op, List<Bounded> in, List<double[]> out) {
        return switch (op) {
            case Scaling.Scale s -> UpdateOracle.run(op, List.of(new Array(in.getFirst().type(), in.getFirst().magnitude()),
                    new Array(in.getLast().type(), in.getLast().value())));
            case Scaling.Unscale u -> of(out);
        };
    }
}
