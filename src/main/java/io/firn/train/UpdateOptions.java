package io.firn.train;

import io.firn.error.UserError;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.plan.PlanRequest;
import java.util.Map;
import java.util.function.Function;

/**
 * How gradients become steps, beyond the optimizer's own numbers.
 *
 * @param nesterov         whether SGD looks ahead along its momentum
 * @param ema              decay of moving averages of all that is trained, which are what is validated and saved; 0 for none
 * @param gradAccumulation batches whose mean gradient a step takes
 * @param clipNorm         limit of the gradients' global norm; 0 for none
 * @param noDecayNorms     whether batch norms and biases are left out of weight decay
 * @param lrDecayByStage   factor of the learning rate from each stage to the one before; 1 for none
 */
public record UpdateOptions(boolean nesterov, double ema, int gradAccumulation, double clipNorm, boolean noDecayNorms,
                            double lrDecayByStage) {

    public UpdateOptions {
        Range.below("ema", ema, 0, 1);
        Range.atLeast("grad-accumulation", gradAccumulation, 1);
        Range.between("clip-norm", clipNorm, 0, Double.POSITIVE_INFINITY);
        Range.between("lr-decay-by-stage", lrDecayByStage, 0, 1);
        Range.positive("lr-decay-by-stage", lrDecayByStage);
    }

    /** The step that each parameter of a network takes. */
    Function<State, Update> optimizer(Recipe recipe, Model model) {
        if (nesterov && (recipe.optimizer() != Recipe.Optimizer.SGD || recipe.momentum() == 0)) {
            throw UserError.usage("--nesterov is for --optimizer sgd with --momentum above 0");
        }
        Map<String, Double> factors = StageRates.of(model.graph(), lrDecayByStage);
        return s -> {
            boolean decays = !noDecayNorms || s.value().shape().rank() > 1;
            return recipe.optimizer().update(recipe.momentum(), decays ? recipe.weightDecay() : 0, nesterov,
                    factors.get(s.name()));
        };
    }

    /** What a plan's training has beyond the plain step. */
    PlanRequest.Extras extras(boolean mixed) {
        return new PlanRequest.Extras(mixed, ema, clipNorm, gradAccumulation,
                gradAccumulation == 1 ? PlanRequest.Part.WHOLE : PlanRequest.Part.ACCUMULATE);
    }

    boolean averages() {
        return ema > 0;
    }
}
