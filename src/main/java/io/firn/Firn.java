package io.firn;

import io.firn.backend.Backend;
import io.firn.cluster.Ranked;
import io.firn.files.AtomicFile;
import io.firn.finetune.Advice;
import io.firn.finetune.Advisor;
import io.firn.finetune.FineTuning;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Program;
import io.firn.report.Report;
import io.firn.train.Classifier;
import io.firn.train.Config;
import io.firn.train.Converted;
import io.firn.train.Devices;
import io.firn.train.FoundRate;
import io.firn.train.Run;
import io.firn.train.RunSummary;
import io.firn.train.StepRequest;
import io.firn.train.TrainRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Firn from Java: what the command line does, as functions.
 *
 * <pre>{@code
 * Model model = Firn.model("resnet20", ModelOptions.defaults().withClasses(10).withBatch(64));
 * System.out.println(model.graph().parameterCount() + " parameters, " + Firn.plan(model).bytes() + " bytes to train");
 * RunSummary run = Firn.train(Map.of("data", "fashion-mnist", "model", "resnet20", "epochs", 2), Path.of("runs/first"));
 * try (Classifier net = Firn.load(Path.of(run.run()))) {
 *     System.out.println(net.evaluate("fashion-mnist").top1());
 *     net.predict(List.of(Path.of("shoe.png"))).images().forEach(p -> System.out.println(p.top().getFirst().name()));
 * }
 * }</pre>
 *
 * Failures that a user can do something about are {@link io.firn.error.UserError}s, whose message says what.
 */
public final class Firn {
    private Firn() {
    }

    /** A network by its name (see {@link Models#names}): its graph, sizes and cost. Nothing is computed yet. */
    public static Model model(String name, ModelOptions options) {
        return Models.build(name, options);
    }

    /**
     * Compiles the training step that {@link #train} would run on this machine's CPU by default: launches, and where every
     * byte lies. The first time, kernels are measured for these shapes, which takes seconds.
     */
    public static Program plan(Model model) {
        try (Backend backend = Devices.local("cpu", Runtime.getRuntime().availableProcessors())) {
            return StepRequest.training(model).plan(backend, backend.bestPrecision(), _ -> { }).program();
        }
    }

    /**
     * Trains.
     *
     * @param options those of {@code firn train} by their long names, such as {@code "warmup-epochs"}
     * @param run     the folder for all results; it must not hold a run yet
     */
    public static RunSummary train(Map<String, ?> options, Path run) {
        return train(TrainRequest.of(options, run));
    }

    /** Goes on with the run in a folder, exactly where its last checkpoint stands. */
    public static RunSummary resume(Path run) {
        return train(TrainRequest.of(Map.of(), run).resumed());
    }

    /** Trains as the request says: with a log, with signals heeded, on other devices. */
    public static RunSummary train(TrainRequest request) {
        return Ranked.train(request, System.getenv());
    }

    /** Looks for a learning rate: steps through rates until the loss explodes. What is trained is thrown away. */
    public static FoundRate findRate(TrainRequest request) {
        return Run.findRate(request);
    }

    /**
     * Measures a data set with given weights, and says what to freeze, why, and at what price.
     *
     * @param options those of a training by their long names; {@code init} names the weights
     */
    public static Advice advise(Map<String, ?> options) {
        return advise(Config.of(options), Devices::local, Advisor.How.USUAL, _ -> { });
    }

    /** As {@link #advise(Map)}; see {@link Advisor#advise}. */
    public static Advice advise(Config options, Devices devices, Advisor.How how, Consumer<String> say) {
        return Advisor.advise(options, devices, how, say);
    }

    /** Measures what to freeze unless it is told, gives the network a head to start from, and trains. */
    public static FineTuning.Result finetune(TrainRequest request, FineTuning.Options options) {
        return FineTuning.run(request, options);
    }

    /**
     * Makes one page about one or several runs.
     *
     * @param runs their folders
     * @param file the page, replaced whole
     */
    public static Report report(List<Path> runs, Path file) {
        Report report = Report.of(runs);
        AtomicFile.write(file, report.html().getBytes(StandardCharsets.UTF_8));
        return report;
    }

    /** Reads a trained network, from a weight file that says what it holds, as Firn writes them, or a run folder. */
    public static Classifier load(Path weights) {
        return load(weights, Map.of());
    }

    /** Reads a trained network; see {@link Classifier#open} for the options. */
    public static Classifier load(Path weights, Map<String, ?> options) {
        return load(weights, Config.of(options), Devices::local, _ -> { });
    }

    /** Reads a trained network that computes on these devices and says what there is to say. */
    public static Classifier load(Path weights, Config options, Devices devices, Classifier.Remarks remarks) {
        return Classifier.open(weights, options, devices, remarks);
    }

    /**
     * Writes a network's weights in the format that {@code target} is named after: {@code .safetensors} or {@code .onnx}.
     *
     * @param weights a weight file of any format, or a run folder
     * @param options {@code model} and its options, where the file does not say what model it holds
     */
    public static Converted convert(Path weights, Path target, Map<String, ?> options) {
        return convert(weights, target, Config.of(options), false, List.of(), _ -> { });
    }

    /**
     * As {@link #convert(Path, Path, Map)}, saying what there is to say.
     *
     * @param fold   whether batch norms become part of the convolutions before them
     * @param others files or run folders whose mean with {@code weights} is written; empty for {@code weights} alone
     */
    public static Converted convert(Path weights, Path target, Config options, boolean fold, List<Path> others,
                                    Consumer<String> say) {
        return Converted.write(weights, target, options, fold, others, say);
    }
}
