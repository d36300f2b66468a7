package io.firn.oracle;

import io.firn.graph.Clipping;
import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What an {@link Update} means, one element at a time: the formulas of PyTorch's optimizers; and {@link Clipping}. */
final class UpdateOracle {
    private UpdateOracle() {
    }

    static List<double[]> run(Update op, List<Array> in) {
        double[] rates = in.get(op.ratesAt()).data();
        return switch (op) {
            case Update.Step step -> step(step, in, rates);
            case Update.Average a -> List.of(average(a, in.get(0).data(), in.get(1).data()));
            case Update.Accumulate a -> List.of(accumulate(a, in.get(0).data(), in.get(1).data(), rates[Rates.KEEP]));
        };
    }

    private static double[] average(Update.Average op, double[] average, double[] value) {
        double[] out = new double[average.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = average[i] + (1 - op.decay()) * (value[i] - average[i]);
        }
        return out;
    }

    private static double[] accumulate(Update.Accumulate op, double[] sum, double[] gradient, double keep) {
        double[] out = new double[sum.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (keep == 0 ? 0 : sum[i]) + gradient[i] / op.batches();
        }
        return out;
    }

    static double norm(double[] x) {
        double sum = 0;
        for (double v : x) {
            sum += v * v;
        }
        return Math.sqrt(sum);
    }

    private static List<double[]> step(Update.Step op, List<Array> in, double[] rates) {
        double scale = op.isScaled(in) ? in.get(op.ratesAt() + 1).data()[0] : 1;
        if (scale == 0) {
            List<double[]> same = new ArrayList<>(List.of(in.get(0).data().clone()));
            in.subList(2, op.ratesAt()).forEach(a -> same.add(a.data().clone()));
            return same;
        }
        double lr = rates[Rates.LEARNING_RATE] * op.factor();
        double step = count(op, in.stream().map(Array::data).toList());
        double trust = op instanceof Update.Lars lars
                ? lars.trust(norm(in.get(0).data()), scale * norm(in.get(1).data())) : 1;
        List<double[]> out = new ArrayList<>();
        for (int i = 0; i < 1 + op.slots().size(); i++) {
            out.add(new double[in.get(0).data().length]);
        }
        double[] slots = new double[op.slots().size()];
        for (int i = 0; i < out.get(0).length; i++) {
            for (int s = 0; s < slots.length; s++) {
                slots[s] = in.get(2 + s).data()[i];
            }
            double w = in.get(0).data()[i];
            double g = scale * in.get(1).data()[i];
            out.get(0)[i] = switch (op) {
                case Update.Sgd sgd -> sgd(sgd, w, g, slots, lr);
                case Update.AdamW adam -> adamW(adam, w, g, slots, lr, step);
                case Update.RmsProp rms -> rmsProp(rms, w, g, slots, lr);
                case Update.Lars lars -> lars(lars, w, g, slots, lr, trust);
            };
            for (int s = 0; s < slots.length; s++) {
                out.get(1 + s)[i] = slots[s];
            }
        }
        return out;
    }

    /** The step's number, without those that were skipped where they are known. */
    static double count(Update.Step op, List<double[]> in) {
        return in.get(op.ratesAt())[Rates.STEP] - (op.countsSkipped(in) ? in.getLast()[Scaling.SKIPPED] : 0);
    }

    /** The new weight; the slots are replaced in place, here and below. */
    private static double sgd(Update.Sgd op, double w, double gradient, double[] slots, double lr) {
        double g = gradient + op.weightDecay() * w;
        if (op.momentum() == 0) {
            return w - lr * g;
        }
        slots[0] = op.momentum() * slots[0] + g;
        return w - lr * (op.nesterov() ? g + op.momentum() * slots[0] : slots[0]);
    }

    private static double adamW(Update.AdamW op, double w, double g, double[] slots, double lr, double step) {
        slots[0] = op.beta1() * slots[0] + (1 - op.beta1()) * g;
        slots[1] = op.beta2() * slots[1] + (1 - op.beta2()) * g * g;
        double mean = slots[0] / (1 - Math.pow(op.beta1(), step));
        double square = slots[1] / (1 - Math.pow(op.beta2(), step));
        return w * (1 - lr * op.weightDecay()) - lr * mean / (Math.sqrt(square) + op.eps());
    }

    private static double rmsProp(Update.RmsProp op, double w, double gradient, double[] slots, double lr) {
        double g = gradient + op.weightDecay() * w;
        slots[0] = op.alpha() * slots[0] + (1 - op.alpha()) * g * g;
        double d = op.tensorflow() ? Math.sqrt(slots[0] + op.eps()) : Math.sqrt(slots[0]) + op.eps();
        if (op.momentum() == 0) {
            return w - lr * g / d;
        }
        slots[1] = op.momentum() * slots[1] + (op.tensorflow() ? lr : 1) * g / d;
        return w - (op.tensorflow() ? 1 : lr) * slots[1];
    }

    private static double lars(Update.Lars op, double w, double g, double[] slots, double lr, double trust) {
        slots[0] = op.momentum() * slots[0] + trust * (g + op.weightDecay() * w);
        return w - lr * slots[0];
    }

    /** The factor and the norm of a {@link Clipping}. */
    static List<double[]> run(Clipping op, List<Array> in) {
        return switch (op) {
            case Clipping.GlobalNorm clip -> {
                double norm = globalNorm(in);
                yield List.of(new double[] {clip.factor(norm)}, new double[] {norm});
            }
        };
    }

    /** A gradient times the scale; or what {@link Scaling.Unscale} says of gradients. */
    static List<double[]> run(Scaling op, List<Array> in) {
        return switch (op) {
            case Scaling.Scale s -> {
                double scale = Scaling.scale(in.getLast().data());
                yield List.of(Arrays.stream(in.getFirst().data()).map(g -> g * scale).toArray());
            }
            case Scaling.Unscale u -> {
                double[] state = in.getFirst().data();
                double norm = globalNorm(in.subList(1, in.size())) / Scaling.scale(state);
                yield List.of(new double[] {u.factor(norm, state)}, new double[] {norm}, u.next(norm, state));
            }
        };
    }

    private static double globalNorm(List<Array> gradients) {
        double squares = 0;
        for (Array g : gradients) {
            double norm = norm(g.data());
            squares += norm * norm;
        }
        return Math.sqrt(squares);
    }
}
