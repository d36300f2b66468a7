package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Session;
import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.plan.FreezeSpec;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.WholeStep;
import io.firn.train.DeviceMemory;
import io.firn.train.FixedInputs;
import io.firn.train.InitialStates;
import io.firn.train.Setup;
import io.firn.train.StepRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Random;
import java.util.SequencedMap;
import java.util.Set;

/**
 * One way to train the network, with its price: from its plan, and from a few steps that were timed.
 *
 * @param name        for people
 * @param freeze      the value of {@code --freeze}
 * @param trained     parameters that are trained
 * @param predictedMs of a step, by the plan
 * @param measuredMs  of a step, median of a few; null where none was run
 * @param epochS      seconds of an epoch, by the measured step where there is one; images are taken to be ready in time
 * @param memory      bytes of both arenas; on a GPU that is not here, with what CUDA itself is said to take
 * @param launches    of a step
 * @param removed     launches that freezing takes away
 */
public record Arm(String name, String freeze, @JsonProperty("trainable_parameters") long trained,
           @JsonProperty("predicted_ms") double predictedMs, @JsonProperty("measured_ms") Double measuredMs,
           @JsonProperty("epoch_s") double epochS, long memory, int launches, int removed) {
    static final String HEAD = "head";
    static final String LAST_STAGE = "last stage";
    static final String HALF = "half";
    static final String ALL = "all";
    static final String SCRATCH = "from scratch";

    /** Where arms are priced. */
    sealed interface Place {
        /** @param measures whether to time a few steps of each that fits into memory */
        record Here(boolean measures) implements Place {
        }

        /** A GPU that need not be here: by plans alone, of what cuDNN is known to fuse. */
        record Elsewhere(Target gpu, Precision precision) implements Place {
        }

        default Target target(Setup setup) {
            return switch (this) {
                case Here _ -> setup.backend().target();
                case Elsewhere e -> e.gpu;
            };
        }

        default Precision precision(Setup setup) {
            return switch (this) {
                case Here _ -> setup.precision();
                case Elsewhere e -> e.precision;
            };
        }

        private boolean measures() {
            return switch (this) {
                case Here h -> h.measures;
                case Elsewhere _ -> false;
            };
        }

        private Program program(Setup setup, StepRequest step) {
            List<PlanRequest> requests = step.planned(precision(setup));
            return switch (this) {
                case Here _ -> setup.plan(requests).program();
                case Elsewhere e -> new CheckedPlans(e.gpu, Engines.notChecked("not asked"), _ -> { }).plan(requests);
            };
        }

        /** Of memory that a training takes there. */
        private long bytes(Program program) {
            return switch (this) {
                case Here _ -> program.bytes();
                case Elsewhere _ -> program.bytes() + DeviceMemory.RESERVED;
            };
        }
    }

    /** So small that nothing diverges on noise. */
    private static final double RATE = 1e-5;
    private static final int WARM_UP = 2;
    private static final int STEPS = 5;
    private static final double LONGEST_MS = 10_000;

    /** The usual arms' values of {@code --freeze} by name; two that come to the same are listed once. */
    static SequencedMap<String, String> usual(Model model) {
        SequencedMap<String, String> arms = new LinkedHashMap<>();
        arms.put(HEAD, "head");
        arms.put(LAST_STAGE, Cuts.until(Cuts.lastStage(model)));
        if (!arms.containsValue(Cuts.until(Cuts.half(model)))) {
            arms.put(HALF, Cuts.until(Cuts.half(model)));
        }
        arms.put(ALL, "none");
        return arms;
    }

    /**
     * Prices the usual arms, that cut at the best tap, and any other.
     *
     * @param best    what {@code --freeze} is to train all behind the best tap
     * @param chosen  what is proposed
     * @param asked   what was asked for; {@code none} where nothing was
     * @param place   where
     */
    static List<Arm> priced(Setup setup, InitialStates states, String best, String chosen, String asked, Place place) {
        SequencedMap<String, String> wanted = new LinkedHashMap<>(usual(setup.model(1)));
        if (!wanted.containsValue(best)) {
            wanted.put("best tap", best);
        }
        if (!wanted.containsValue(chosen)) {
            wanted.put("proposed", chosen);
        }
        if (!wanted.containsValue(asked)) {
            wanted.put("asked for", asked);
        }
        StepRequest all = StepRequest.of(setup, "none");
        int whole = launches(all.step(place.program(setup, all)));
        List<Arm> arms = new ArrayList<>();
        wanted.forEach((name, freeze) -> arms.add(priced(setup, states, name, freeze, whole, place)));
        Arm same = arms.stream().filter(a -> a.name.equals(ALL)).findFirst().orElseThrow();
        arms.add(new Arm(SCRATCH, same.freeze, same.trained, same.predictedMs, same.measuredMs, same.epochS, same.memory,
                same.launches, same.removed));
        return arms;
    }

    private static Arm priced(Setup setup, InitialStates states, String name, String freeze, int whole, Place place) {
        StepRequest request = StepRequest.of(setup, freeze);
        Program program = place.program(setup, request);
        WholeStep step = request.step(program);
        Double measured = place.measures() && program.bytes() <= HostMemory.available()
                ? (Double) measured(setup.backend(), states, program, step) : null;
        Set<String> frozen = FreezeSpec.withWholeNorms(request.model().graph(), request.frozen());
        long trained = request.model().graph().states(State.Kind.PARAMETER).stream().filter(s -> !frozen.contains(s.name()))
                .mapToLong(s -> s.value().shape().elements()).sum();
        double ms = measured == null ? step.predictedMs() : measured;
        return new Arm(name, freeze, trained, step.predictedMs(), measured,
                setup.train().size() / step.images() * ms / 1e3, place.bytes(program), launches(step),
                whole - launches(step));
    }

    private static int launches(WholeStep step) {
        return (int) step.sum(p -> p.launches().size());
    }

    /** Whether it leaves the weights out. */
    boolean isFromScratch() {
        return name.equals(SCRATCH);
    }

    private static double measured(Backend backend, InitialStates states, Program program, WholeStep step) {
        try (Session session = backend.load(program)) {
            states.write(session);
            step.plans().forEach(p -> FixedInputs.fill(session, p, RATE, new Random(1)));
            double[] ms = new double[STEPS];
            double total = 0;
            for (int i = -WARM_UP; i < STEPS; i++) {
                double took = FixedInputs.timed(session, step, RATE, i + WARM_UP);
                total += took;
                if (i >= 0) {
                    ms[i] = took;
                }
                if (i >= 0 && total > LONGEST_MS) {
                    ms = Arrays.copyOf(ms, i + 1);
                    break;
                }
            }
            Arrays.sort(ms);
            return ms[ms.length / 2];
        }
    }
}
