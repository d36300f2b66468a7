package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.data.DamagedImage;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Loader;
import io.firn.data.Splits;
import io.firn.error.UserError;
import io.firn.graph.GraphBuilder;
import io.firn.models.Model;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.report.Calibration;
import io.firn.report.Confusion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
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
        Precision p = RunOptions.precision(asked == null ? Precision.FP32.label() : asked).orElseGet(backend::bestPrecision);
        backend.check(p);
        return p;
    }

    /** The model, its classes and how it sees images. */
    public ModelCard card() {
        return net.card();
    }

    /** Takes what is found out about images, in the order in which they were given. */
    public interface Sink {
        void prediction(Prediction prediction);

        /** An image that could not be read. */
        void damaged(DamagedImage image);
    }

    /**
     * The classes of each image, of the images in each folder in name order, and of those in each tar file. Damaged images
     * are left out and told of.
     */
    public Predictions predict(List<Path> images) {
        return predict(images, Views.NONE, Prediction.TOP);
    }

    /** The same, with that many classes of each image. */
    public Predictions predict(List<Path> images, Views views, int top) {
        List<DamagedImage> damaged = new ArrayList<>();
        List<Prediction> found = new ArrayList<>();
        predict(images, views, top, new Sink() {
            @Override
            public void prediction(Prediction prediction) {
                found.add(prediction);
            }

            @Override
            public void damaged(DamagedImage image) {
                damaged.add(image);
            }
        });
        return new Predictions(net.card().classes(), found, damaged);
    }

    /** The same, one after the other, so that nothing needs to be held. */
    public Throughput predict(List<Path> images, Views views, int top, Sink sink) {
        Range.atLeast("top", top, 1);
        Dataset files = Datasets.unlabelled(images, remarks::say);
        Map<String, DamagedImage> damaged = new ConcurrentHashMap<>();
        int[] found = new int[1];
        long start;
        try (Loader loader = loader(files, damaged)) {
            start = System.nanoTime();
            inference(files, views).run(loader, () -> false, done(files), new Inference.Visitor() {
                @Override
                public void image(int index, int label, float[] logits, int from, int classes) {
                    sink.prediction(Prediction.of(files.describe(index), logits, from, net.card().classes(), top));
                    found[0]++;
                }

                @Override
                public void damaged(int index) {
                    sink.damaged(damaged.get(files.describe(index)));
                }
            });
        }
        return new Throughput(found[0], files.size() - found[0], (System.nanoTime() - start) / 1e9);
    }

    /**
     * Writes a line for each image into a file that is named after its format: {@code .csv} or {@code .jsonl}.
     *
     * @param top classes of each image, the most probable first
     */
    public Throughput predict(List<Path> images, Views views, int top, Path file) {
        return PredictionFile.write(file, this, images, views, top);
    }

    /**
     * Writes what the classifier reads of each image, and its logits, into a safetensors file: {@code features} and
     * {@code logits}, a row an image in the order given. Without any damaged image only; the file is left alone else.
     *
     * @return how many images were read, and how many not
     */
    public Throughput features(List<Path> images, Path file) {
        Dataset files = Datasets.unlabelled(images, remarks::say);
        Map<String, DamagedImage> damaged = new ConcurrentHashMap<>();
        int batch = batch(files.size());
        FeatureFile rows = new FeatureFile();
        long start;
        try (ForwardPass pass = forward(batch); Loader loader = loader(files, damaged, batch)) {
            start = System.nanoTime();
            rows.add(pass, loader, files::describe, done(files));
        }
        Throughput t = new Throughput(rows.images(), files.size() - rows.images(), (System.nanoTime() - start) / 1e9);
        if (t.damaged() == 0) {
            rows.write(file, net.card().classes());
        }
        return t;
    }

    /** The network for pixels in memory, planned for batches of that many images. */
    public ForwardPass forward(int batch) {
        Range.atLeast("batch", batch, 1);
        Preprocessing p = net.card().preprocessing();
        Model model = net.card().build(batch);
        GraphBuilder graph = GraphBuilder.from(model.graph());
        graph.output(ForwardPass.FEATURES, model.features());
        Program program = backend.plan(TuningTable.EMPTY, List.of(new PlanRequest(ForwardPass.PLAN, graph.build(), p.mean(),
                p.std(), precision, Optional.empty())));
        Plans.checkMemory(backend, program, batch, p.inOrder(batch, 1));
        Session forward = backend.load(program);
        net.tensors().forEach((name, t) -> forward.writeState(name, t.data()));
        return new ForwardPass(forward);
    }

    /**
     * Metrics on the validation part of a data set, or all of it where it is not divided.
     *
     * @param data a path or a built-in name
     * @throws UserError where it has classes that the network has not
     */
    public Evaluation evaluate(String data) {
        return assess(data, Views.NONE).evaluation();
    }

    /** The same, class by class. */
    public Assessment assess(String data, Views views) {
        return assess(dataset(data), views);
    }

    /** Metrics on a data set whose labels are the network's. */
    public Evaluation evaluate(Dataset set) {
        return assess(set, Views.NONE).evaluation();
    }

    private Assessment assess(Dataset set, Views views) {
        Map<String, DamagedImage> damaged = new ConcurrentHashMap<>();
        Confusion confusion = Confusion.of(net.card().classes().size());
        Calibration.Counts calibration = new Calibration.Counts();
        try (Loader loader = loader(set, damaged)) {
            Evaluation e = inference(set, views).evaluate(loader, () -> false, done(set), (_, label, loss, logits, from, n) -> {
                int best = 0;
                for (int c = 1; c < n; c++) {
                    best = logits[from + c] > logits[from + best] ? c : best;
                }
                confusion.add(label, best);
                // The logarithm of the sum of exponentials is the label's logit and its loss.
                calibration.add(Math.exp(logits[from + best] - logits[from + label] - loss), best == label);
            });
            if (!damaged.isEmpty()) {
                remarks.say("%d damaged images were skipped".formatted(damaged.size()));
            }
            return new Assessment(e, net.card().classes(), confusion, calibration.calibration());
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

    private Loader loader(Dataset set, Map<String, DamagedImage> damaged) {
        inference(set, Views.NONE);
        return loader(set, damaged, session.program().plan(Plans.EVALUATE).batch());
    }

    private Loader loader(Dataset set, Map<String, DamagedImage> damaged, int batch) {
        int workers = compute.workers != null ? compute.workers
                : Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, 16);
        return new Loader(set, net.card().preprocessing().inOrder(batch, workers), d -> {
            damaged.put(d.file(), d);
            remarks.say("cannot use an image: " + d.getMessage());
        });
    }

    /** A loaded plan whose batch suits that many images. */
    private Inference inference(Dataset set, Views views) {
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
        return new Inference(session, session.program().plan(Plans.EVALUATE), views);
    }

    @Override
    public void close() {
        if (session != null) {
            session.close();
        }
        backend.close();
    }
}
