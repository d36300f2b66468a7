package io.firn.study;

import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Splits;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.models.Model;
import io.firn.study.schedule.Entry;
import io.firn.train.Config;
import io.firn.train.Signals;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.DoubleStream;

/**
 * The experiment behind EfficientNet (Tan and Le 2019, arXiv 1905.11946): which of depth, width and resolution should grow by
 * how much. A grid over α, β and γ at about twice the baseline's FLOPs finds the coefficients; then depth alone, width alone,
 * resolution alone and all together are held against each other at equal cost.
 */
public final class Scaling {
    /** Nets of the grid that rounding takes farther from twice the baseline's cost are left out. */
    private static final double MOST_OFF = 1.25;
    private static final String GRID = "grid";
    private static final String COMPOUND = "compound";

    private final Request request;
    private final StudyRequest how;
    private final Slots slots;
    private final Splits splits;
    private final Baseline baseline;
    private final int batch;

    /**
     * What to study.
     *
     * @param baseline     a name of {@code firn models}
     * @param seeds        of each net, at least 2
     * @param budget       that decides how many steps each run makes; null where {@code options} has epochs or steps
     * @param cost         of the nets that are held against each other, over the baseline's
     * @param step         of the grid
     * @param tolerance    by how much α·β²·γ² may differ from 2
     * @param coefficients in place of the grid's best; empty to search
     * @param phis         at which to write configurations, beside 1
     * @param halving      whether half of the grid's nets are given up after a quarter of the epochs, and again after a half
     * @param options      of {@code firn train}, for all runs: {@code data} at least
     */
    public record Request(String baseline, int seeds, Budget budget, double cost, double step, double tolerance,
                          Optional<Coefficients> coefficients, List<Double> phis, boolean halving, Config options) {
        public Request {
            if (seeds < 2) {
                throw UserError.usage("--seeds %d: a test needs at least 2 runs of each net", seeds);
            }
            if (!(cost > 1 && cost <= 64)) {
                throw UserError.usage("--cost %s: must be above 1 and at most 64", cost);
            }
            if (!(step >= 0.02 && step <= 1) || !(tolerance > 0 && tolerance < 1)) {
                throw UserError.usage("--grid-step %s --tolerance %s: must be from 0.02 to 1, and above 0 and below 1", step,
                        tolerance);
            }
            if (coefficients.isEmpty() && Coefficients.grid(step, tolerance).isEmpty()) {
                throw UserError.usage("--grid-step %s --tolerance %s: no point of the grid has α·β²·γ² near 2; give a smaller "
                        + "step or a larger tolerance", step, tolerance);
            }
            phis = List.copyOf(phis);
        }
    }

    /** A net to train: how it grew, and its sizes. */
    private record Net(String name, String way, Baseline.Sizes sizes, Optional<Coefficients> of) {
    }

    private Scaling(Request request, StudyRequest how) {
        this.request = request;
        this.how = how;
        splits = Datasets.open(request.options.text("data").orElseThrow(() -> UserError.usage("--data is missing")), how::say);
        if (splits.validation().isEmpty() && !request.options.has("val") && !request.options.has("val-split")) {
            throw UserError.usage("%s has no part to validate with, by which nets are compared: give --val PATH",
                    splits.train().name());
        }
        baseline = new Baseline(request.baseline, request.options, train());
        slots = how.site().slots(Integer.MAX_VALUE);
        batch = Integer.parseInt(options(baseline.sizes(), 1).text("batch").orElseThrow());
    }

    /** Runs the study, or goes on with it, and writes its results, configurations and page. */
    public static ScalingResult run(Request request, StudyRequest how) {
        return new Scaling(request, how).run();
    }

    /**
     * Prices the runs without running any: the grid, and the nets at equal cost by the coefficients given, else the paper's.
     *
     * @param target a GPU that need not be here, or {@code cpu} for this machine
     */
    public static List<Job> price(Request request, StudyRequest how, String target) {
        Scaling study = new Scaling(request, how);
        Pricing pricing = target.equals("cpu") ? Pricing.here(how.devices(), false) : Pricing.on(target, study.train());
        study.remarkOnGrid();
        return study.jobs(study.foreseen(), study.steps(pricing, target.equals("cpu")), pricing);
    }

    private Dataset train() {
        return splits.train();
    }

    private ScalingResult run() {
        var asked = new StudyFolder.Asked("scaling", asked(), declared());
        Pricing here = Pricing.here(how.devices(), true);
        // Before the folder is: a budget or a machine may be too small.
        Optional<Long> fresh = StudyFolder.isNew(how.output(), asked) ? Optional.of(checkedSteps(here)) : Optional.empty();
        try (StudyFolder folder = StudyFolder.open(how.output(), asked);
             Signals signals = how.signals() ? Signals.install() : Signals.none()) {
            Runs runs = new Runs(folder, how, slots, signals);
            Pricing pricing = options -> {
                runs.stopIfAsked();
                return here.of(options);
            };
            long steps = folder.read("steps.json", Long.class).orElseGet(() -> {
                long s = fresh.orElseGet(() -> checkedSteps(pricing));
                folder.write("steps.json", s);
                return s;
            });
            List<String> failed = new ArrayList<>();
            List<ScalingResult.Point> points = new ArrayList<>();
            Coefficients best = request.coefficients.orElseGet(() -> {
                List<ScalingResult.Point> grid = grid(folder, runs, pricing, steps, failed);
                points.addAll(grid);
                return best(grid);
            });
            points.addAll(train(folder, runs, arms(best), steps, pricing, failed));
            ScalingResult result = new ScalingResult(baseline.model(), declared(), best, points, failed, verdict(points),
                    configs(folder, best));
            folder.write("coefficients.json", best);
            folder.write("results.json", result);
            AtomicFile.write(folder.root().resolve("report.html"),
                    ScalingPage.of(result).html().getBytes(StandardCharsets.UTF_8));
            return result;
        }
    }

    private SortedMap<String, String> asked() {
        SortedMap<String, String> all = new TreeMap<>();
        request.options.values().keySet().forEach(k -> all.put(k, request.options.text(k).orElseThrow()));
        all.put("baseline", request.baseline);
        all.put("seeds", String.valueOf(request.seeds));
        all.put("cost", String.valueOf(request.cost));
        request.coefficients.ifPresentOrElse(c -> all.put("coefficients", c.toString()), () -> {
            all.put("grid-step", String.valueOf(request.step));
            all.put("tolerance", String.valueOf(request.tolerance));
            all.put("halving", String.valueOf(request.halving));
        });
        if (request.budget != null) {
            all.put("budget", request.budget.toString());
        }
        return all;
    }

    private List<String> declared() {
        return List.of("Measured is top-1 of a run's last weights on the validation images.",
                ("On the grid, nets whose multiply-adds are within a factor of %s of twice the baseline's take part; the "
                        + "highest mean over the seeds gives the coefficients.").formatted(MOST_OFF),
                ("Compound scaling is better if, at %s times the baseline's multiply-adds as nearly as whole channels, blocks "
                        + "and pixels allow, its mean is above that of the best of depth, width and resolution alone: Welch's "
                        + "one-sided t-test over the seeds, p < %s.").formatted(request.cost, DegradationResult.ALPHA));
    }

    /** The recipe is Firn's own for the model; only the number of steps is set. */
    private Config options(Baseline.Sizes sizes, long steps) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("batch", 64);
        d.put("workers", 1);
        d.put("threads", slots.threads());
        Config all = baseline.options(sizes).over(Config.of(d));
        return request.halving && request.coefficients.isEmpty() ? all.with("max-steps", steps)
                : all.without("epochs").with("max-steps", steps);
    }

    private long perEpoch() {
        return Math.max(1, train().size() / batch);
    }

    /** @param here whether time is this machine's, which is measured to be as far from predictions as it is */
    private long steps(Pricing pricing, boolean here) {
        Config any = options(baseline.sizes(), 1);
        long steps = Length.steps(request.options, request.budget, perEpoch(), s -> jobs(foreseen(), s, pricing),
                () -> !here ? 1 : Calibration.factor(Pricing.net(any, train(), batch), any, slots.threads(), how.devices()), slots);
        if (request.halving && !request.options.has("epochs")) {
            throw UserError.usage("--halving needs --epochs: the rate follows one curve over all rounds");
        }
        return steps;
    }

    /** Steps of every run, of which none needs too much memory as far as it is known by now. */
    private long checkedSteps(Pricing pricing) {
        remarkOnGrid();
        long steps = steps(pricing, true);
        slots.check(jobs(foreseen(), steps, pricing));
        return steps;
    }

    /** Rounding may leave of a coarse grid only its corners. */
    private void remarkOnGrid() {
        if (request.coefficients.isEmpty() && gridNets().stream().allMatch(n -> n.of.orElseThrow().dimensions() == 1)) {
            how.say("no net of the grid grows in more than one dimension, so that compound scaling will be no other than one of "
                    + "them: give a smaller --grid-step, or --coefficients");
        }
    }

    private List<Net> foreseen() {
        List<Net> all = new ArrayList<>(request.coefficients.isPresent() ? List.of() : gridNets());
        all.addAll(arms(request.coefficients.orElse(Coefficients.PAPER)));
        return all;
    }

    /** Different nets of the grid at about twice the baseline's cost: rounding makes several points one net. */
    private List<Net> gridNets() {
        List<Net> nets = new ArrayList<>();
        Set<List<Long>> seen = new LinkedHashSet<>();
        for (Coefficients k : Coefficients.grid(request.step, request.tolerance)) {
            Baseline.Sizes s = baseline.at(k, 1);
            Model net = baseline.net(s);
            double ratio = (double) net.multiplyAdds() / baseline.multiplyAdds() / 2;
            if (Math.max(ratio, 1 / ratio) <= MOST_OFF && seen.add(List.of(net.multiplyAdds(),
                    net.graph().parameterCount(), (long) s.resolution()))) {
                nets.add(new Net(String.format(Locale.ROOT, "a%s-b%s-g%s", k.alpha(), k.beta(), k.gamma()), GRID, s,
                        Optional.of(k)));
            }
        }
        if (nets.isEmpty()) {
            throw UserError.usage("no net of the grid comes to about twice the multiply-adds of %s, whose channels are too few to "
                    + "grow by so little; give a wider --baseline, or --coefficients", baseline.model());
        }
        return nets;
    }

    /** The baseline, and what is held against each other at equal cost. */
    private List<Net> arms(Coefficients k) {
        return List.of(new Net("baseline", "baseline", baseline.sizes(), Optional.empty()),
                new Net("depth", "depth", baseline.atCost(request.cost, baseline::deeper), Optional.empty()),
                new Net("width", "width", baseline.atCost(request.cost, baseline::wider), Optional.empty()),
                new Net("resolution", "resolution", baseline.atCost(request.cost, baseline::larger), Optional.empty()),
                new Net(COMPOUND, COMPOUND, baseline.atCost(request.cost, f -> baseline.at(k, f - 1)), Optional.of(k)));
    }

    private List<Job> jobs(List<Net> nets, long steps, Pricing pricing) {
        List<Job> jobs = new ArrayList<>();
        for (Net net : nets) {
            how.say("planning " + net.name);
            Config options = options(net.sizes, steps);
            Job job = new Job(net.name, net.name, net.name, options.values(), pricing.of(options));
            for (int seed = 0; seed < request.seeds; seed++) {
                jobs.add(job.withSeed(seed));
            }
        }
        return jobs;
    }

    private List<ScalingResult.Point> grid(StudyFolder folder, Runs runs, Pricing pricing, long steps, List<String> failed) {
        List<Net> nets = gridNets();
        if (!request.halving) {
            return train(folder, runs, nets, steps, pricing, failed);
        }
        List<ScalingResult.Point> given = new ArrayList<>();
        for (long share : new long[] {4, 2}) {
            List<ScalingResult.Point> round = train(folder, runs, nets, Math.max(1, steps / share), pricing, failed).stream()
                    .sorted(Comparator.comparingDouble(ScalingResult.Point::mean).reversed()).toList();
            int kept = Math.ceilDiv(round.size(), 2);
            given.addAll(round.subList(kept, round.size()));
            Set<String> names = new LinkedHashSet<>(round.subList(0, kept).stream().map(ScalingResult.Point::name).toList());
            nets = nets.stream().filter(n -> names.contains(n.name)).toList();
        }
        List<ScalingResult.Point> all = new ArrayList<>(train(folder, runs, nets, steps, pricing, failed));
        all.addAll(given);
        return all;
    }

    /** Trains nets up to a number of steps, going on where they stand, and reads what they came to. */
    private List<ScalingResult.Point> train(StudyFolder folder, Runs runs, List<Net> nets, long steps, Pricing pricing,
                                            List<String> failed) {
        String file = "runs-%s-%d.json".formatted(nets.getFirst().way, steps);
        List<Job> jobs = folder.read(file, Job[].class).map(List::of).orElseGet(() -> {
            List<Job> planned = jobs(nets, steps, pricing).stream().map(j -> j.named(j.name() + "@" + steps)).toList();
            folder.write(file, planned);
            return planned;
        });
        SequencedMap<String, Entry> entries = runs.run(jobs);
        List<ScalingResult.Point> points = new ArrayList<>();
        for (Net net : nets) {
            List<Job> own = jobs.stream().filter(j -> j.group().equals(net.name)).toList();
            own.stream().filter(j -> entries.get(j.name()).status() == Entry.Status.FAILED)
                    .forEach(j -> failed.add("%s: %s".formatted(j.name(), entries.get(j.name()).problem())));
            List<Outcome> outcomes = own.stream().filter(j -> entries.get(j.name()).status() == Entry.Status.DONE)
                    .map(j -> Outcome.read(folder.run(j.run()))).toList();
            if (!outcomes.isEmpty()) {
                points.add(point(net, own.getFirst(), outcomes, steps));
            }
        }
        return points;
    }

    private ScalingResult.Point point(Net net, Job job, List<Outcome> outcomes, long steps) {
        double[] speeds = outcomes.stream().mapToDouble(Outcome::imagesPerS).sorted().toArray();
        return new ScalingResult.Point(net.name, net.way, net.sizes.depth(), net.sizes.width(), net.sizes.resolution(),
                job.price().parameters(), job.price().multiplyAdds(),
                (double) job.price().multiplyAdds() / baseline.multiplyAdds(), job.price().bytes(), steps,
                outcomes.stream().map(Outcome::top1).toList(), outcomes.stream().mapToDouble(Outcome::top1).average().orElseThrow(),
                speeds[speeds.length / 2]);
    }

    private Coefficients best(List<ScalingResult.Point> grid) {
        String best = grid.stream().max(Comparator.comparingLong(ScalingResult.Point::steps)
                .thenComparingDouble(ScalingResult.Point::mean)).map(ScalingResult.Point::name)
                .orElseThrow(() -> UserError.other("no run of the grid came to its end: see the study's logs"));
        return gridNets().stream().filter(n -> n.name.equals(best)).findFirst().flatMap(Net::of).orElseThrow();
    }

    static String verdict(List<ScalingResult.Point> points) {
        Optional<ScalingResult.Point> compound = points.stream().filter(p -> p.way().equals(COMPOUND)).findFirst();
        Optional<ScalingResult.Point> single = points.stream()
                .filter(p -> List.of("depth", "width", "resolution").contains(p.way()))
                .max(Comparator.comparingDouble(ScalingResult.Point::mean));
        if (compound.isEmpty() || single.isEmpty() || compound.get().top1().size() < 2 || single.get().top1().size() < 2) {
            return "Not decided: of the nets that are held against each other, fewer than 2 runs came to their end.";
        }
        Welch w = Welch.of(values(compound.get()), values(single.get()));
        return String.format(Locale.ROOT, "Compound scaling %s: %+.2f ± %.2f points of top-1 against %s alone, the best single "
                + "dimension, p = %.2g.", w.p() < DegradationResult.ALPHA ? "is better" : "was not seen to be better",
                100 * w.difference(), 100 * w.halfWidth(DegradationResult.CONFIDENCE), single.get().way(), w.p());
    }

    private static double[] values(ScalingResult.Point p) {
        return p.top1().stream().mapToDouble(Double::doubleValue).toArray();
    }

    /** Configurations at φ = 1 and at those asked for. */
    private List<String> configs(StudyFolder folder, Coefficients k) {
        double[] phis = DoubleStream.concat(Arrays.stream(new double[] {1}),
                request.phis.stream().mapToDouble(Double::doubleValue)).distinct().toArray();
        List<String> files = new ArrayList<>();
        for (double phi : phis) {
            Path file = folder.root().resolve("phi-%s.toml".formatted(phi));
            baseline.options(baseline.at(k, phi)).without("max-steps", "epochs", "threads", "workers").write(file);
            files.add(file.toString());
        }
        return files;
    }
}
