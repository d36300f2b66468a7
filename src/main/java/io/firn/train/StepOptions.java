package io.firn.train;

import io.firn.models.Model;
import io.firn.models.Preset;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.WholeStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What of a training's options decides the launches of its step: with and without a data set the same.
 *
 * @param mixed whether images are mixed in pairs
 */
public record StepOptions(Recipe recipe, UpdateOptions update, boolean mixed) {

    static StepOptions of(TrainOptions o) {
        return new StepOptions(o.recipe(), o.update(), o.variation().mixing().any());
    }

    /**
     * Of a training of which no more is known than its network, and what was asked for.
     *
     * @param asked options by their long names
     * @throws io.firn.error.UserError (usage) where a value makes no sense
     */
    static StepOptions of(Model model, Config asked) {
        var o = model.options();
        Preset p = model.preset();
        Config all = Defaults.complete(NamedRecipes.under(asked).with("model", model.name())
                .with("resolution", o.resolution()).with("batch", o.batch()), new Defaults.Facts(o.classes(), o.channels(),
                o.resolution(), p.resize(), p.mean(), p.std(), Integer.MAX_VALUE, o.batch(), "auto", "auto", 1));
        return new StepOptions(all.bind(Recipe.class), all.bind(UpdateOptions.class),
                all.bind(VariationOptions.class).mixing().any());
    }

    /** The part that takes images. */
    PlanRequest.Training training(Model model, Set<String> frozen, Ranks ranks) {
        return new PlanRequest.Training(frozen, update.optimizer(recipe, model), recipe.labelSmoothing(),
                update.extras(mixed), ranks);
    }

    /** Name of the plan that takes images. */
    String name() {
        return update.gradAccumulation() == 1 ? Plans.TRAIN : Plans.ACCUMULATE;
    }

    /** The plan beside it: applies the gradients of several batches. */
    Optional<PlanRequest> apply(PlanRequest batch) {
        return batch.training().filter(t -> t.extras().part() == PlanRequest.Part.ACCUMULATE).map(t -> new PlanRequest(Plans.APPLY,
                batch.model(), batch.mean(), batch.std(), batch.precision(), Optional.of(new PlanRequest.Training(t.frozen(),
                t.optimizer(), t.smoothing(), t.extras().withPart(PlanRequest.Part.APPLY)))));
    }

    /** All that a step runs. */
    List<PlanRequest> requests(Model model, Set<String> frozen, Precision precision, Ranks ranks) {
        List<PlanRequest> requests = new ArrayList<>();
        requests.add(new PlanRequest(name(), model.graph(), model.preset().mean(), model.preset().std(), precision,
                Optional.of(training(model, frozen, ranks))));
        apply(requests.getFirst()).ifPresent(requests::add);
        return requests;
    }

    /**
     * A program's step.
     *
     * @param plan name of the one that takes images
     */
    WholeStep step(Program program, String plan) {
        int batches = update.gradAccumulation();
        return new WholeStep(program.plan(plan), batches, batches == 1 ? Optional.empty()
                : Optional.of(program.plan(Plans.APPLY)));
    }
}
