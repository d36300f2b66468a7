package io.firn.study;

import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.report.Sheet;
import io.firn.study.schedule.Entry;
import io.firn.train.Classifier;
import io.firn.train.Config;
import io.firn.train.Evaluation;
import io.firn.train.Price;
import io.firn.train.Signals;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * The experiment behind residual nets (He et al. 2015, arXiv 1512.03385, sections 4.1 and 4.2): plain and residual nets of
 * rising depth, trained alike. The claim is about the training error: without shortcuts it grows with depth, with them it
 * does not.
 */
public final class Degradation {
    private static final int JUDGED_IMAGES = 10_000;
    private static final long JUDGED_SEED = 0;
    private static final double BATCH_NORM_EPS = 1e-5;
    private static final List<String> FAMILIES = List.of("plain", "resnet");

    private final Request request;
    private final StudyRequest how;
    private final Slots slots;
    private final Dataset train;

    /**
     * What to study.
     *
     * @param depths  of plain and residual nets, ascending
     * @param seeds   of each net, at least 2: without several there is no test
     * @param budget  that decides how many steps each run makes; null where {@code options} has epochs or steps
     * @param options of {@code firn train}, for all runs: {@code data} at least
     */
    public record Request(List<Integer> depths, int seeds, Budget budget, Config options) {
        public Request {
            depths = depths.stream().sorted().distinct().toList();
            if (depths.size() < 2) {
                throw UserError.usage("--depths: give at least 2, such as 20,56");
            }
            if (seeds < 2) {
                throw UserError.usage("--seeds %d: a test needs at least 2 runs of each net", seeds);
            }
            depths.forEach(d -> FAMILIES.forEach(f -> Models.build(f + d, ModelOptions.defaults())));
        }
    }

    private Degradation(Request request, StudyRequest how) {
        this.request = request;
        this.how = how;
        slots = how.site().slots(request.depths.size() * FAMILIES.size() * request.seeds);
        String data = request.options.text("data").orElseThrow(() -> UserError.usage(
                "--data is missing: give a folder of class folders, a file or a built-in name such as fashion-mnist"));
        train = Datasets.open(data, how::say).train();
    }

    /** Runs the study, or goes on with it, and writes its results and its page. */
    public static DegradationResult run(Request request, StudyRequest how) {
        return new Degradation(request, how).run();
    }

    /**
     * Prices the runs without running any.
     *
     * @param target a GPU that need not be here, or {@code cpu} for this machine
     */
    public static List<Job> price(Request request, StudyRequest how, String target) {
        Degradation study = new Degradation(request, how);
        Pricing pricing = target.equals("cpu") ? Pricing.here(how.devices(), false) : Pricing.on(target, study.train);
        return study.jobs(study.steps(pricing, target.equals("cpu")), pricing);
    }

    private DegradationResult run() {
        var asked = new StudyFolder.Asked("degradation", asked(), declared());
        Supplier<List<Job>> planned = () -> {
            Pricing pricing = Pricing.here(how.devices(), true);
            List<Job> jobs = jobs(steps(pricing, true), pricing);
            slots.check(jobs);
            return jobs;
        };
        // Before the folder is: a budget or a machine may be too small.
        Optional<List<Job>> fresh = StudyFolder.isNew(how.output(), asked) ? Optional.of(planned.get()) : Optional.empty();
        try (StudyFolder folder = StudyFolder.open(how.output(), asked);
             Signals signals = how.signals() ? Signals.install() : Signals.none()) {
            Runs runs = new Runs(folder, how, slots, signals);
            List<Job> jobs = folder.read("runs.json", Job[].class).map(List::of).orElseGet(() -> {
                List<Job> all = fresh.orElseGet(planned);
                folder.write("runs.json", all);
                return all;
            });
            SequencedMap<String, Entry> entries = runs.run(jobs);
            DegradationResult result = judge(jobs, entries, folder, runs);
            folder.write("results.json", result);
            AtomicFile.write(folder.root().resolve("report.html"),
                    page(result, folder, jobs).html().getBytes(StandardCharsets.UTF_8));
            return result;
        }
    }

    /** What decides the runs, by name. */
    private SortedMap<String, String> asked() {
        SortedMap<String, String> all = new TreeMap<>();
        request.options.values().keySet().forEach(k -> all.put(k, request.options.text(k).orElseThrow()));
        all.put("depths", request.depths.toString());
        all.put("seeds", String.valueOf(request.seeds));
        if (request.budget != null) {
            all.put("budget", request.budget.toString());
        }
        return all;
    }

    private List<String> declared() {
        int least = request.depths.getFirst();
        int most = request.depths.getLast();
        return List.of(("Measured is the training error: top-1 error of a run's last weights on %s training images, the same for "
                        + "all runs, as an evaluation sees them.").formatted(judged().size() == train.size() ? "all"
                        : "%,d".formatted(judged().size())),
                ("Plain nets degrade if plain%d's error is above plain%d's: Welch's one-sided t-test over the seeds, "
                        + "p < %s.").formatted(most, least, DegradationResult.ALPHA),
                "Residual nets degrade if the same holds for resnet%d and resnet%d.".formatted(most, least),
                ("Shortcuts make the difference if plain nets' increase is above residual nets' by the same test on the "
                        + "difference of the differences, p < %s.").formatted(DegradationResult.ALPHA),
                "The paper's claim is seen if the first and the third hold, and the second does not.");
    }

    private Dataset judged() {
        return train.size() <= JUDGED_IMAGES ? train
                : Datasets.split(train, (double) JUDGED_IMAGES / train.size(), JUDGED_SEED).validation().orElseThrow();
    }

    /** @param here whether time is this machine's, which is measured to be as far from predictions as it is */
    private long steps(Pricing pricing, boolean here) {
        Config any = options("resnet" + request.depths.getFirst(), 1);
        int batch = Integer.parseInt(any.text("batch").orElseThrow());
        return Length.steps(request.options, request.budget, Math.max(1, train.size() / batch), s -> jobs(s, pricing),
                () -> !here ? 1 : Calibration.factor(Pricing.net(any, train, batch), any, slots.threads(), how.devices()), slots);
    }

    /** The same recipe for all: the paper's, which lowers the rate at a half and three quarters of the run. */
    private Config options(String model, long steps) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("batch", 128);
        d.put("optimizer", "sgd");
        d.put("lr", 0.1);
        d.put("momentum", 0.9);
        d.put("weight-decay", 1e-4);
        d.put("schedule", "step");
        d.put("workers", 1);
        d.put("threads", slots.threads());
        Config all = request.options.over(Config.of(d)).without("epochs").with("model", model).with("max-steps", steps);
        if (all.text("schedule").orElseThrow().equals("step") && !all.has("milestones")) {
            double epochs = steps / (double) Math.max(1, train.size() / Integer.parseInt(all.text("batch").orElseThrow()));
            all = all.with("milestones", List.of(0.5 * epochs, 0.75 * epochs)).with("gamma", 0.1);
        }
        return all;
    }

    private List<Job> jobs(long steps, Pricing pricing) {
        List<Job> jobs = new ArrayList<>();
        for (int depth : request.depths) {
            for (String family : FAMILIES) {
                String model = family + depth;
                Config options = options(model, steps);
                how.say("planning " + model);
                Price price = pricing.of(options);
                Job job = new Job(model, model, model, options.values(), price);
                for (int seed = 0; seed < request.seeds; seed++) {
                    jobs.add(job.withSeed(seed));
                }
            }
        }
        return jobs;
    }

    private DegradationResult judge(List<Job> jobs, Map<String, Entry> entries, StudyFolder folder, Runs runs) {
        Dataset judged = judged();
        Map<String, DegradationResult.Run> kept = new LinkedHashMap<>();
        folder.read("measured.json", DegradationResult.Run[].class).ifPresent(all -> List.of(all).forEach(r -> kept.put(r.name(), r)));
        for (Job job : jobs) {
            Entry e = entries.get(job.name());
            if (e.status() == Entry.Status.DONE && !kept.containsKey(job.name())) {
                runs.stopIfAsked();
                how.say("judging " + job.name());
                kept.put(job.name(), measure(job, e, folder.run(job.run()), judged));
                folder.write("measured.json", kept.values());
            }
        }
        List<String> failed = entries.entrySet().stream().filter(e -> e.getValue().status() == Entry.Status.FAILED)
                .map(e -> "%s: %s".formatted(e.getKey(), e.getValue().problem())).toList();
        return DegradationResult.of(request.depths, declared(), List.copyOf(kept.values()), failed);
    }

    private DegradationResult.Run measure(Job job, Entry entry, Path run, Dataset judged) {
        Path weights = run.resolve("weights.safetensors");
        Config compute = job.config().only(List.of("precision", "device")).with("workers", 1);
        Map<String, Object> o = job.options();
        try (Classifier net = Classifier.open(weights, compute, how.devices(), _ -> { })) {
            Evaluation training = net.evaluate(judged);
            Double validation = Datasets.open(String.valueOf(o.get("data"))).validation().isPresent() || o.containsKey("val")
                    ? Double.valueOf(1 - net.evaluate(String.valueOf(o.getOrDefault("val", o.get("data")))).top1()) : null;
            String model = job.price().model();
            return new DegradationResult.Run(job.name(), model.replaceAll("\\d", ""),
                    Integer.parseInt(model.replaceAll("\\D", "")), ((Number) o.get("seed")).intValue(), 1 - training.top1(),
                    training.loss(), validation, entry.seconds(), Responses.of(weights, BATCH_NORM_EPS));
        }
    }

    private Sheet page(DegradationResult result, StudyFolder folder, List<Job> jobs) {
        Map<String, SequencedMap<Long, Double>> losses = new LinkedHashMap<>();
        for (Job job : jobs) {
            try {
                losses.put(job.name(), Sheet.losses(folder.run(job.run())));
            } catch (IOException e) {
                how.say("no curve of %s: %s".formatted(job.name(), AtomicFile.reason(e)));
            }
        }
        return DegradationPage.of(result, jobs, losses);
    }
}
