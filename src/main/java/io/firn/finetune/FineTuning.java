package io.firn.finetune;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.data.Dataset;
import io.firn.data.Sampling;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.graph.Node;
import io.firn.models.Model;
import io.firn.models.NearNames;
import io.firn.plan.FreezeSpec;
import io.firn.train.Config;
import io.firn.train.InitialStates;
import io.firn.train.ModelCard;
import io.firn.train.Run;
import io.firn.train.RunFolder;
import io.firn.train.RunSummary;
import io.firn.train.Setup;
import io.firn.train.TrainRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Fine-tuning: measures what to freeze unless it is told, gives the network a head to start from, and trains. All that is
 * decided becomes options of an ordinary run, so that its {@code config.toml} repeats it without measuring again.
 */
public final class FineTuning {
    private static final int MOST_FOR_HEAD = 2_000;
    private static final int PATIENCE = 5;
    /** Of the rate, from each stage to the one before, as --layer-decay of timm's users is by layers. */
    private static final double STAGE_DECAY = 0.75;

    private final TrainRequest request;
    private final Options options;

    /**
     * What fine-tuning has beside the options of a training.
     *
     * @param budget  seconds for short trainings that confirm what is measured; empty for none
     * @param gradual epochs after which one more stage is trained, from the head toward what is proposed; null to train all
     *                of it from the start
     * @param head    where the head comes from
     */
    public record Options(OptionalDouble budget, Integer gradual, Head head) {
        public Options {
            if (gradual != null && gradual < 1) {
                throw UserError.usage("--gradual %d: at least 1 epoch a phase", gradual);
            }
        }
    }

    /** Where the head comes from: probed where the classes are others than those of the weights, probed always, or neither. */
    public enum Head { AUTO, PROBE, NONE }

    /**
     * What came of it.
     *
     * @param freeze what was frozen at the start
     * @param advice what was measured; null where {@code --freeze} was given
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Result(@JsonUnwrapped RunSummary run, String freeze, String quadrant, String why, Advice advice) {
    }

    private FineTuning(TrainRequest request, Options options) {
        this.request = request;
        this.options = options;
    }

    /**
     * Fine-tunes.
     *
     * @throws UserError as {@link Advisor#advise} and {@link Run#train}
     */
    public static Result run(TrainRequest request, Options options) {
        return new FineTuning(request, options).run();
    }

    private Result run() {
        Path root = request.folder();
        if (request.resume() && Files.exists(root.resolve("config.toml"))) {
            RunSummary s = Run.train(at(root, request.asked()));
            return new Result(s, null, null, null, null);
        }
        if (Files.exists(root.resolve("config.toml"))) {
            throw UserError.usage("%s holds a run; go on with --resume, or choose another --output", root);
        }
        Config asked = Advisor.completed(request.asked());
        String given = asked.text("freeze").orElse("auto").strip();
        Optional<Advice> advice = given.equals("auto") ? Optional.of(Advisor.advise(asked, request.devices(),
                Advisor.How.USUAL.withBudget(options.budget), this::say)) : Optional.empty();
        String freeze = advice.map(Advice::freeze).orElse(given);
        say(advice.map(Advice::line).orElse("--freeze %s, as given: nothing is measured".formatted(freeze)));
        boolean fromScratch = advice.filter(Advice::fromScratch).isPresent();
        Config decided = (fromScratch ? asked.without("init") : asked).with("freeze", freeze);
        try (Prepared p = prepare(decided, root)) {
            decided = p.config;
        }
        RunSummary s = Run.train(at(root, decided));
        advice.ifPresent(a -> keep(a, root));
        return new Result(s, freeze, advice.map(Advice::quadrant).orElse(null), advice.map(Advice::why).orElse(null),
                advice.orElse(null));
    }

    private TrainRequest at(Path root, Config asked) {
        return new TrainRequest(asked, Optional.of(root), request.resume(), request.signals(), request.devices(),
                request.log(), request.command(), request.view());
    }

    /** The run's options, decided with its device open. */
    private record Prepared(Config config, Setup setup) implements AutoCloseable {
        @Override
        public void close() {
            setup.backend().close();
        }
    }

    private Prepared prepare(Config decided, Path root) {
        Setup setup = Setup.of(decided, request.devices(), _ -> { });
        try {
            Config config = decided;
            Model model = setup.model(1);
            // What makes no sense is refused before anything is written.
            FreezeSpec.frozen(config.text("freeze").orElseThrow(), model.graph(), NearNames::of);
            boolean fromScratch = !config.has("init");
            if (options.gradual != null && fromScratch) {
                say("--gradual: from scratch, all is trained from the start");
            } else if (options.gradual != null) {
                config = gradual(config, model);
            }
            if (!config.has("patience") && setup.validation().isPresent()) {
                config = config.with("patience", PATIENCE);
            }
            if (!config.has("feature-cache")) {
                config = config.with("feature-cache", "auto");
            }
            config = withStageRates(config);
            if (fromScratch) {
                return new Prepared(config, setup);
            }
            InitialStates states = InitialStates.of(setup, this::say);
            if (needsHead(setup, states)) {
                config = config.with("init", headStart(setup, states, root).toString());
            }
            return new Prepared(config, setup);
        } catch (RuntimeException | Error e) {
            setup.backend().close();
            throw e;
        }
    }

    /**
     * What starts from weights and is trained below the head learns the slower, the nearer it is to the input: early stages
     * hold what most images share (Howard and Ruder 2018, arXiv 1801.06146).
     */
    static Config withStageRates(Config config) {
        boolean belowHead = !config.text("freeze").orElse("none").strip().equals("head") || config.has("unfreeze");
        return config.has("init") && belowHead && !config.has("lr-decay-by-stage")
                ? config.with("lr-decay-by-stage", STAGE_DECAY) : config;
    }

    /** Phases that unfreeze a stage each, from the head to what is to be trained in the end. */
    private Config gradual(Config config, Model model) {
        String last = config.text("freeze").orElseThrow();
        if (last.equals("head")) {
            say("--gradual: the head alone is trained, so there is nothing to unfreeze");
            return config;
        }
        List<String> specs = new ArrayList<>();
        for (String stage : Cuts.stages(model).reversed()) {
            boolean reached = last.equals(Cuts.until(stage)) || last.startsWith(Cuts.until(stage) + ".");
            if (reached || stage.equals(Cuts.stages(model).getFirst())) {
                break;
            }
            specs.add(Cuts.until(stage));
        }
        specs.add(last);
        List<String> phases = new ArrayList<>();
        for (int i = 0; i < specs.size(); i++) {
            phases.add("%d:%s".formatted((i + 1) * options.gradual, specs.get(i)));
        }
        say("--gradual: the head first, then " + String.join(", ", phases));
        return config.with("freeze", "head").with("unfreeze", phases);
    }

    private boolean needsHead(Setup setup, InitialStates states) {
        return switch (options.head) {
            case NONE -> false;
            case PROBE -> true;
            case AUTO -> !states.fresh().isEmpty() || ModelCard.ofWeights(Path.of(setup.options().net().init()))
                    .filter(card -> !card.classes().equals(setup.classes())).isPresent();
        };
    }

    /** Writes weights whose head is a ridge regression's. */
    private Path headStart(Setup setup, InitialStates states, Path root) {
        Dataset sample = Sampling.perClass(setup.train(), Integer.MAX_VALUE, MOST_FOR_HEAD, setup.options().run().seed());
        Model model = setup.model(1);
        Node head = Measurement.head(model.graph());
        Measurement m = Measurement.of(setup, sample, setup.preprocessing(), states, List.of(head.name()),
                Measurement.Look.TAPS, _ -> { }, _ -> { });
        int classes = setup.classes().size();
        if (Arrays.stream(m.labels()).distinct().count() < 2) {
            throw UserError.data("%s has images of 1 class: there is nothing to tell apart; at least two are needed",
                    setup.train().name());
        }
        HeadStart start = HeadStart.of(m.features().get(head.name()), m.labels(), classes);
        say(String.format(Locale.ROOT, "%s starts as a ridge regression on the features of %,d images (%.1f %% of them "
                + "right, each judged by the others)", head.name(), m.labels().length, 100 * start.accuracy()));
        try {
            Files.createDirectories(root);
        } catch (IOException e) {
            throw UserError.other("cannot write %s: %s", root, e).causedBy(e);
        }
        Path file = RunFolder.start(root);
        states.with(Map.of(head.input(1).name(), start.weight(), head.input(2).name(), start.bias())).write(file,
                new ModelCard(model.name(), model.options(), setup.classes(), setup.preprocessing()));
        return file;
    }

    private static void keep(Advice advice, Path root) {
        try {
            AtomicFile.write(root.resolve("advice.json"), new ObjectMapper().writerWithDefaultPrettyPrinter()
                    .writeValueAsBytes(advice));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private void say(String line) {
        request.log().println(line);
    }
}
