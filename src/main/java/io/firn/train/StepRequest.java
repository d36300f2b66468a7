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
import io.firn.plan.WholeStep;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * One step of a model without data: what {@code firn plan} shows and {@code firn bench} times, planned as
 * {@code firn train} plans it.
 *
 * @param freeze        what is not trained; {@code none} for inference
 * @param options       of the training
 * @param deterministic whether kernels are chosen without measuring, so that every run has the same bits
 * @param ranks         that step together, of which the model is for one
 */
public record StepRequest(Model model, Mode mode, String freeze, StepOptions options, boolean deterministic, Ranks ranks) {
    /** Keys of what is left out where nothing is trained. */
    private static final Set<String> TRAINING = trainingKeys();

    /** What a step does. */
    public enum Mode {
        TRAIN, INFER;

        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * A step with these options.
     *
     * @param asked what a training takes, by long names; what decides nothing about a step is ignored
     * @throws UserError (usage) where a value makes no sense
     */
    public static StepRequest of(Model model, Mode mode, Config asked, Ranks ranks) {
        List<String> trains = TRAINING.stream().filter(asked::has).map(k -> "--" + k).toList();
        if (mode == Mode.INFER && !trains.isEmpty()) {
            throw UserError.usage("--mode infer trains nothing: leave out %s", String.join(" and ", trains));
        }
        if (mode == Mode.INFER && ranks.count() > 1) {
            throw UserError.usage("--mode infer exchanges nothing: leave out --ranks");
        }
        return new StepRequest(model, mode, asked.text("freeze").orElse("none"), StepOptions.of(model, asked),
                asked.text("deterministic").map(Boolean::parseBoolean).orElse(false), ranks);
    }

    /** A step of that training with so much frozen: on its device, and on its data but for their size. */
    public static StepRequest of(Setup s, String freeze) {
        return new StepRequest(s.model(s.share()), Mode.TRAIN, freeze, StepOptions.of(s.options()),
                s.options().run().deterministic(), Ranks.ONE);
    }

    private static Set<String> trainingKeys() {
        Set<String> keys = new LinkedHashSet<>(List.of("freeze", "recipe"));
        keys.addAll(Config.keys(List.of(Recipe.class, UpdateOptions.class, VariationOptions.class)));
        keys.remove("batch");
        return keys;
    }

    /** A training step with everything by default. */
    public static StepRequest training(Model model) {
        return of(model, Mode.TRAIN, Config.of(Map.of()), Ranks.ONE);
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
        List<PlanRequest> requests = planned(precision);
        return deterministic ? planned(backend, requests, TuningTable.DETERMINISTIC)
                : TuningCache.tuned(backend, requests, measure);
    }

    /** The same with nothing frozen, by the same choices; empty where nothing is frozen. */
    public Optional<Tuned> unfrozen(Backend backend, Precision precision, TuningTable table) {
        return unfrozen().map(r -> planned(backend, r.planned(precision), table));
    }

    /** The same with nothing frozen; empty where nothing is frozen. */
    public Optional<StepRequest> unfrozen() {
        return frozen().isEmpty() ? Optional.empty()
                : Optional.of(new StepRequest(model, mode, "none", options, deterministic, ranks));
    }

    /** The same with another number of images. */
    public StepRequest withBatch(int batch) {
        return new StepRequest(Models.build(model.name(), model.options().withBatch(batch)), mode, freeze, options,
                deterministic, ranks);
    }

    private static Tuned planned(Backend backend, List<PlanRequest> requests, TuningTable table) {
        return new Tuned(backend.plan(table, requests), table);
    }

    /** What is to be planned, on whatever device. */
    public List<PlanRequest> planned(Precision precision) {
        return mode == Mode.TRAIN ? options.requests(model, frozen(), precision, ranks)
                : List.of(new PlanRequest(Plans.EVALUATE, model.graph(), model.preset().mean(), model.preset().std(), precision,
                Optional.empty()));
    }

    /** The step of a program that was planned for it. */
    public WholeStep step(Program program) {
        return mode == Mode.TRAIN ? options.step(program, options.name()) : WholeStep.of(program.plan(Plans.EVALUATE));
    }
}
