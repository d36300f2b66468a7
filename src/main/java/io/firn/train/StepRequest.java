package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * One step of a model without data: what {@code firn plan} shows and {@code firn bench} times, planned as
 * {@code firn train} plans it.
 *
 * @param freeze        what is not trained; {@code none} for inference
 * @param optimizer     empty for the one that the model is trained with by default
 * @param deterministic whether kernels are chosen without measuring, so that every run has the same bits
 */
public record StepRequest(Model model, Mode mode, String freeze, Optional<Recipe.Optimizer> optimizer,
                          boolean deterministic) {

    /** What a step does. */
    public enum Mode {
        TRAIN, INFER;

        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public StepRequest {
        if (mode == Mode.INFER && (!freeze.equals("none") || optimizer.isPresent())) {
            throw UserError.usage("--mode infer trains nothing: leave out --freeze and --optimizer");
        }
    }

    /** A training step with everything by default. */
    public static StepRequest training(Model model) {
        return new StepRequest(model, Mode.TRAIN, "none", Optional.empty(), false);
    }

    /** Names of the parameters that are not trained, as {@code freeze} says. */
    public Set<String> frozen() {
        return FreezeSpec.frozen(freeze, model.graph(), NearNames::of);
    }

    /**
     * Plans it with the choices that a training on this machine takes: measured, or taken over from an earlier process.
     *
     * @param say takes a line about what takes long; what does not fit into this machine's memory is not measured
     */
    public Tuned plan(Backend backend, Precision precision, Consumer<String> say) {
        return plan(backend, precision, p -> {
            boolean fits = p.bytes() <= HostMemory.available();
            say.accept(fits ? "measuring which kernels are the fastest for these shapes (once on this machine)"
                    : "these shapes do not fit into this machine's memory: kernels are chosen by estimate, not measured");
            return fits;
        });
    }

    Tuned plan(Backend backend, Precision precision, Predicate<Program> measure) {
        PlanRequest request = request(precision, frozen());
        return deterministic ? planned(backend, request, TuningTable.EMPTY)
                : TuningCache.tuned(backend, List.of(request), measure);
    }

    /** The same with nothing frozen, by the same choices; empty where nothing is frozen. */
    public Optional<Tuned> unfrozen(Backend backend, Precision precision, TuningTable table) {
        return frozen().isEmpty() ? Optional.empty() : Optional.of(planned(backend, request(precision, Set.of()), table));
    }

    private static Tuned planned(Backend backend, PlanRequest request, TuningTable table) {
        return new Tuned(new Planner(backend.target(), backend.kernels(table)).plan(request), table);
    }

    private PlanRequest request(Precision precision, Set<String> frozen) {
        return new PlanRequest(mode == Mode.TRAIN ? Plans.TRAIN : Plans.EVALUATE, model.graph(), model.preset().mean(),
                model.preset().std(), precision, mode == Mode.TRAIN ? Optional.of(Defaults.training(frozen, model.name(),
                model.options().resolution(), optimizer)) : Optional.empty());
    }
}
