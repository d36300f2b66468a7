package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.data.DamagedImage;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Loader;
import io.firn.data.Splits;
import io.firn.error.UserError;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntConsumer;

/** A trained network that predicts and is evaluated. Planned when the first images come. Not for several threads at once. */
public final class Classifier implements AutoCloseable {
    private static final int LARGEST_BATCH = 64;

    private final TrainedNet net;
    private final Compute compute;
    private final Backend backend;
    private final Precision precision;
    private final Remarks remarks;
    private Session session;

    /** How to compute; nulls take the default. */
    private record Compute(Integer batch, String precision, String device, Integer threads, Integer workers) {
    }

    /** What is told while images are read. */
    @FunctionalInterface
    public interface Remarks {
        void say(String line);

        /** That many images are done. */
        default void done(int images, int total) {
        }
    }

    private Classifier(TrainedNet net, Compute compute, Backend backend, Precision precision, Remarks remarks) {
        this.net = net;
        this.compute = compute;
        this.backend = backend;
        this.precision = precision;
        this.remarks = remarks;
    }

    /**
     * Reads weights.
     *
     * @param init  a weight file, or a run folder, which means its best, else last, weights
     * @param asked {@code batch}, {@code precision} (default fp32), {@code device}, {@code threads}, {@code workers}; for
     *              files that were not written by Firn {@code model} and its options; {@code resize}, {@code mean} …
     * @param remarks takes what there is to say meanwhile
     */
    public static Classifier open(Path init, Config asked, Devices devices, Remarks remarks) {
        Compute c = asked.bind(Compute.class);
        if (c.batch != null) {
            Range.atLeast("batch", c.batch, 1);
        }
        if (c.workers != null) {
            Range.atLeast("workers", c.workers, 1);
        }
        if (c.threads != null) {
            Range.atLeast("threads", c.threads, 1);
        }
        TrainedNet net = TrainedNet.read(init, asked, remarks::say);
        int processors = Runtime.getRuntime().availableProcessors();
        Backend backend = devices.open(c.device == null ? "auto" : c.device.toLowerCase(Locale.ROOT),
                c.threads == null ? processors : c.threads);
        try {
            return new Classifier(net, c, backend, precision(c.precision, backend), remarks);
        } catch (RuntimeException | Error e) {
            backend.close();
            throw e;
        }
    }

    private static Precision precision(String asked, Backend backend) {
        String name = asked == null ? Precision.FP32.label() : asked.toLowerCase(Locale.ROOT);
        if (name.equals("auto")) {
            return backend.bestPrecision();
        }
        Range.oneOf("precision", name, Arrays.stream(Precision.values()).map(Precision::label).toList());
        Precision p = Precision.valueOf(name.toUpperCase(Locale.ROOT));
        backend.check(p);
        return p;
    }

    /** The model, its classes and how it sees images. */
    public ModelCard card() {
        return net.card();
    }

    /** The classes of each image, and of the images in each folder in name order. Damaged images are left out and told of. */
    public Predictions predict(List<Path> images) {
        Dataset files = Datasets.unlabelled(images, remarks::say);
        List<DamagedImage> damaged = Collections.synchronizedList(new ArrayList<>());
        List<Prediction> found = new ArrayList<>();
        try (Loader loader = loader(files, damaged)) {
            inference(files).run(loader, () -> false, done(files), (index, _, logits, from, _) ->
                    found.add(Prediction.of(files.describe(index), logits, from, net.card().classes())));
        }
        return new Predictions(net.card().classes(), found, damaged);
    }

    /**
     * Metrics on the validation part of a data set, or all of it where it is not divided.
     *
     * @param data a path or a built-in name
     * @throws UserError where it has classes that the network has not
     */
    public Evaluation evaluate(String data) {
        return evaluate(dataset(data));
    }

    /** Metrics on a data set whose labels are the network's. */
    public Evaluation evaluate(Dataset set) {
        List<DamagedImage> damaged = Collections.synchronizedList(new ArrayList<>());
        try (Loader loader = loader(set, damaged)) {
            Evaluation e = inference(set).evaluate(loader, () -> false, done(set));
            if (!damaged.isEmpty()) {
                remarks.say("%d damaged images were skipped".formatted(damaged.size()));
            }
            return e;
        }
    }

    private Dataset dataset(String data) {
        if (net.named()) {
            return Datasets.validation(data, net.card().classes(), remarks::say);
        }
        Splits splits = Datasets.open(data, remarks::say);
        Dataset set = splits.validation().orElse(splits.train());
        if (set.classes().size() > net.card().classes().size()) {
            throw UserError.data("%s has %d classes, and the network %d", set.name(), set.classes().size(),
                    net.card().classes().size());
        }
        return set;
    }

    private IntConsumer done(Dataset set) {
        return images -> remarks.done(images, set.size());
    }

    private int batch(int images) {
        return Math.min(compute.batch == null ? LARGEST_BATCH : compute.batch, images);
    }

    private Loader loader(Dataset set, List<DamagedImage> damaged) {
        int workers = compute.workers != null ? compute.workers
                : Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, 16);
        inference(set);
        int batch = session.program().plan(Plans.EVALUATE).batch();
        return new Loader(set, net.card().preprocessing().inOrder(batch, workers), d -> {
            damaged.add(d);
            remarks.say("cannot use an image: " + d.getMessage());
        });
    }

    /** A loaded plan whose batch suits that many images. */
    private Inference inference(Dataset set) {
        int batch = batch(set.size());
        if (session == null || session.program().plan(Plans.EVALUATE).batch() < batch) {
            Preprocessing p = net.card().preprocessing();
            Program program = backend.plan(TuningTable.EMPTY, List.of(new PlanRequest(Plans.EVALUATE,
                    net.card().build(batch).graph(), p.mean(), p.std(), precision, Optional.empty())));
            Plans.checkMemory(backend, program, batch, p.inOrder(batch, 1));
            if (session != null) {
                session.close();
            }
            session = backend.load(program);
            net.tensors().forEach((name, t) -> session.writeState(name, t.data()));
        }
        return new Inference(session, session.program().plan(Plans.EVALUATE));
    }

    @Override
    public void close() {
        if (session != null) {
            session.close();
        }
        backend.close();
    }
}
