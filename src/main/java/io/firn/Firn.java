package io.firn;

import io.firn.backend.Backend;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Program;
import io.firn.train.Classifier;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.Run;
import io.firn.train.RunSummary;
import io.firn.train.StepRequest;
import io.firn.train.TrainRequest;
import java.nio.file.Path;
import java.util.Map;

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
        return Run.train(request);
    }

    /** Reads a trained network, from a weight file that Firn wrote or a run folder. */
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
}
