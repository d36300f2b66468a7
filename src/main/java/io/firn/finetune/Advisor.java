package io.firn.finetune;

import io.firn.backend.cuda.CudaTarget;
import io.firn.data.Dataset;
import io.firn.data.Sampling;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Precision;
import io.firn.plan.Target;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.InitialStates;
import io.firn.train.ModelCard;
import io.firn.train.RunOptions;
import io.firn.train.Setup;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Measures a data set with given weights, and says what to freeze: one forward pass over a sample with the weights and one
 * without, shift, similarity, size, a proposal, and the price of each alternative.
 */
public final class Advisor {
    private static final int MOST_PER_CLASS = 50;
    private static final int MOST_IMAGES = 5_000;
    private static final long OTHER_SEED = 0x5EED;
    private static final String HERE = "cpu";

    private final Config asked;
    private final Devices devices;
    private final Chooser chooser;
    private final Consumer<String> say;

    /**
     * How to price the alternatives.
     *
     * @param budget  seconds for short trainings that confirm the proposal or overrule it; empty for none
     * @param measure whether to time a few steps of each alternative
     * @param target  {@code cpu} for this machine, or a GPU that need not be here, for which plans alone are priced
     */
    public record How(OptionalDouble budget, boolean measure, String target) {
        /** Five timed steps of each alternative on this machine, and no training. */
        public static final How USUAL = new How(OptionalDouble.empty(), true, HERE);

        public How {
            budget.ifPresent(b -> {
                if (!(b > 0)) {
                    throw UserError.usage("--budget %s: seconds above 0", b);
                }
                if (!target.equals(HERE)) {
                    throw UserError.usage("--budget trains on this machine: leave out --target %s", target);
                }
            });
        }

        /** The same with so many seconds of training. */
        public How withBudget(OptionalDouble seconds) {
            return new How(seconds, measure, target);
        }
    }

    private Advisor(Config asked, Devices devices, Chooser chooser, Consumer<String> say) {
        this.asked = asked;
        this.devices = devices;
        this.chooser = chooser;
        this.say = say;
    }

    /**
     * Measures and proposes.
     *
     * @param asked   options of a training by their long names; {@code init} is needed, {@code model} and its factors are
     *                the file's where it says them
     * @param say     takes what there is to say meanwhile
     * @throws UserError (usage, data) for options and data that allow no advice
     */
    public static Advice advise(Config asked, Devices devices, How how, Consumer<String> say) {
        Arm.Place place = place(asked, how);
        // What is priced for a GPU is still measured here, in a precision that is known here.
        Config here = how.target.equals(HERE) ? asked : asked.without("precision");
        return new Advisor(completed(here), devices, Chooser.DEFAULT, say).run(how.budget, place);
    }

    private static Arm.Place place(Config asked, How how) {
        if (how.target.equals(HERE)) {
            return new Arm.Place.Here(how.measure);
        }
        Target gpu = CudaTarget.of(how.target, name -> NearNames.of(name, CudaTarget.names()));
        return new Arm.Place.Elsewhere(gpu, asked.text("precision").flatMap(RunOptions::precision).orElse(Precision.BF16));
    }

    /**
     * The options with what the weights say of themselves: the model and its factors.
     *
     * @throws UserError (usage) where there are no weights
     */
    static Config completed(Config asked) {
        String init = asked.text("init").orElseThrow(() -> UserError.usage("--init is missing: what to freeze can only be "
                + "measured with the weights that are to be trained further; give a weight file or a run folder"));
        return ModelCard.complete(asked, init);
    }

    private Advice run(OptionalDouble budget, Arm.Place place) {
        // What is frozen is what is asked for here, whatever a configuration file says.
        Setup setup = Setup.of(asked.with("freeze", "none"), devices, say);
        try (var backend = setup.backend()) {
            FreezeSpec.frozen(freeze(), setup.model(1).graph(), NearNames::of);
            check(setup.train());
            InitialStates states = InitialStates.of(setup, say);
            Advice advice = advise(setup, states, place);
            if (budget.isEmpty()) {
                return advice;
            }
            return confirmed(advice, setup, budget.getAsDouble());
        }
    }

    /** What was asked for, which is priced beside the usual alternatives. */
    private String freeze() {
        return asked.text("freeze").map(String::strip).filter(f -> !f.equals("auto")).orElse("none");
    }

    /** Refuses sets of which nothing can be learned about similarity. */
    private static void check(Dataset train) {
        int[] counts = Sampling.counts(train);
        int present = (int) Arrays.stream(counts).filter(c -> c > 0).count();
        if (present < 2) {
            throw UserError.data("%s has images of %d class: there is nothing to tell apart; at least two are needed",
                    train.name(), present);
        }
        List<String> single = IntStream.range(0, counts.length).filter(k -> counts[k] == 1)
                .mapToObj(train.classes()::get).toList();
        if (!single.isEmpty()) {
            throw UserError.data("%s has a single image of class %s: each is judged by the others of its class, so give at "
                    + "least two, or choose what to freeze by --freeze", train.name(), String.join(", ",
                    single.subList(0, Math.min(5, single.size()))) + (single.size() > 5 ? ", …" : ""));
        }
    }

    private Advice advise(Setup setup, InitialStates states, Arm.Place place) {
        Dataset train = setup.train();
        Model model = setup.model(1);
        long seed = setup.options().run().seed();
        Dataset sample = Sampling.perClass(train, MOST_PER_CLASS, MOST_IMAGES, seed);
        say.accept("measuring %,d of %,d images with and without the weights".formatted(sample.size(), train.size()));
        InputCheck input = InputCheck.of(setup, sample, states);
        input.told().forEach(say);
        List<String> taps = Cuts.taps(model);
        Measurement given = Measurement.of(setup, sample, setup.preprocessing(), states, taps,
                Measurement.Look.TAPS_AND_NORMS, _ -> { }, _ -> { });
        Measurement random = Measurement.of(setup, sample, setup.preprocessing(), states.random(seed ^ OTHER_SEED), taps,
                Measurement.Look.TAPS, _ -> { }, _ -> { });
        int classes = train.classes().size();
        List<Similarity> similarity = Similarity.of(given.features(), random.features(), given.labels(), classes);
        LearningCurve curve = LearningCurve.of(given.features().lastEntry().getValue(), given.labels(), classes, seed);
        // What is measured of images that are prepared wrongly says nothing of the weights.
        Chooser by = input.suspects() ? chooser.keepingWeights() : chooser;
        Chooser.Choice choice = by.choose(model, similarity, curve, train.size(), classes);
        List<Arm> arms = Arm.priced(setup, states, Cuts.after(model, Similarity.best(similarity).tap()),
                choice.freeze(), freeze(), place);
        int[] counts = Sampling.counts(train);
        return new Advice(model.name(), setup.options().net().init(), train.name(), place.precision(setup).label(),
                setup.options().recipe().batch(), train.size(), classes, given.labels().length, input.told(), input,
                Shift.of(model.graph(), given.norms(), states, seed),
                (double) Arrays.stream(counts).max().orElse(0) / train.size(), similarity, curve,
                choice.quadrant().label(), choice.freeze(), choice.fromScratch(), choice.why(),
                place.target(setup).name(), arms, null);
    }

    private Advice confirmed(Advice a, Setup setup, double budget) {
        Config options = setup.validation().isPresent() ? asked : asked.with("val-split", 0.2);
        Confirmation c = Confirmation.of(options, a.arms(), budget, devices, say);
        boolean agrees = c.freeze().equals(a.freeze()) && c.fromScratch() == a.fromScratch();
        return new Advice(a.model(), a.init(), a.data(), a.precision(), a.batch(), a.images(), a.classes(), a.sampled(),
                a.first(), a.input(), a.shift(), a.chance(), a.similarity(), a.curve(), a.quadrant(), c.freeze(),
                c.fromScratch(), agrees ? a.why() + "; short trainings agree"
                        : "short trainings did best %s; measured alone, it was %s: %s".formatted(
                                words(c.fromScratch(), c.freeze()), words(a.fromScratch(), a.freeze()), a.why()),
                a.target(), a.arms(), c);
    }

    private static String words(boolean fromScratch, String freeze) {
        return fromScratch ? "from scratch" : "with --freeze " + freeze;
    }
}
