package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.Models;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
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
 * @param ranks         that step together, of which the model is for one
 */
public record StepRequest(Model model, Mode mode, String freeze, Optional<Recipe.Optimizer> optimizer,
                          boolean deterministic, Ranks ranks) {

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
        if (mode == Mode.INFER && ranks.count() > 1) {
            throw UserError.usage("--mode infer exchanges nothing: leave out --ranks");
        }
    }

    /** A training step with everything by default. */
    public static StepRequest training(Model model) {
        return new StepRequest(model, Mode.TRAIN, "none", Optional.empty(), false, Ranks.ONE);
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
            boolean fits = backend.memory(p) <= backend.freeMemory().orElseGet(HostMemory::available);
            say.accept(fits ? "measuring which kernels are the fastest for these shapes (once on this machine)"
                    : "these shapes do not fit into this machine's memory: kernels are chosen by estimate, not measured");
            return fits;
        });
    }

    Tuned plan(Backend backend, Precision precision, Predicate<Program> measure) {
        PlanRequest request = planned(precision);
        return deterministic ? planned(backend, request, TuningTable.DETERMINISTIC)
                : TuningCache.tuned(backend, List.of(request), measure);
    }

    /** The same with nothing frozen, by the same choices; empty where nothing is frozen. */
    public Optional<Tuned> unfrozen(Backend backend, Precision precision, TuningTable table) {
        return unfrozen().map(r -> planned(backend, r.planned(precision), table));
    }

    /** The same with nothing frozen; empty where nothing is frozen. */
    public Optional<StepRequest> unfrozen() {
        return frozen().isEmpty() ? Optional.empty()
                : Optional.of(new StepRequest(model, mode, "none", optimizer, deterministic, ranks));
    }

    /** The same with another number of images. */
    public StepRequest withBatch(int batch) {
        return new StepRequest(Models.build(model.name(), model.options().withBatch(batch)), mode, freeze, optimizer,
                deterministic, ranks);
    }

    private static Tuned planned(Backend backend, PlanRequest request, TuningTable table) {
        return new Tuned(backend.plan(table, List.of(request)), table);
    }

    /** What is to be planned, on whatever device. */
    public PlanRequest planned(Precision precision) {
        return new PlanRequest(mode == Mode.TRAIN ? Plans.TRAIN : Plans.EVALUATE, model.graph(), model.preset().mean(),
                model.preset().std(), precision, mode == Mode.TRAIN ? Optional.of(Defaults.training(frozen(), model.name(),
                model.options().resolution(), optimizer).on(ranks)) : Optional.empty());
    }
}
