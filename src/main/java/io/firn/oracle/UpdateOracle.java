package io.firn.oracle;

import io.firn.graph.Rates;
import io.firn.graph.Update;
import java.util.ArrayList;
import java.util.List;

/** What an optimizer's {@link Update} means, one element at a time: the formulas of PyTorch's optimizers. */
final class UpdateOracle {
    private UpdateOracle() {
    }

    static List<double[]> run(Update op, List<Array> in) {
        double[] rates = in.getLast().data();
        double lr = rates[Rates.LEARNING_RATE] * op.factor();
        double step = rates[Rates.STEP];
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
            double g = in.get(1).data()[i];
            out.get(0)[i] = switch (op) {
                case Update.Sgd sgd -> sgd(sgd, w, g, slots, lr);
                case Update.AdamW adam -> adamW(adam, w, g, slots, lr, step);
                case Update.RmsProp rms -> rmsProp(rms, w, g, slots, lr);
            };
            for (int s = 0; s < slots.length; s++) {
                out.get(1 + s)[i] = slots[s];
            }
        }
        return out;
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
        double d = op.epsInside() ? Math.sqrt(slots[0] + op.eps()) : Math.sqrt(slots[0]) + op.eps();
        if (op.momentum() == 0) {
            return w - lr * g / d;
        }
        slots[1] = op.momentum() * slots[1] + g / d;
        return w - lr * slots[1];
    }
}
