package io.firn.cli;

import io.firn.error.UserError;
import io.firn.study.Budget;
import io.firn.study.Coefficients;
import io.firn.study.Fit;
import io.firn.study.Job;
import io.firn.study.Scaling;
import io.firn.study.ScalingResult;
import io.firn.study.StudyRequest;
import io.firn.train.Config;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn study scaling}. */
@Command(name = "scaling", header = "Finds how depth, width and resolution of a net should grow together.",
        description = {"", "A grid over α, β, γ with αβ²γ² near 2 finds the coefficients; then depth, width and resolution alone "
                + "and all together are trained at equal cost. Writes a folder with every run, results.json, report.html and "
                + "configurations that firn train --config takes. Ctrl-C leaves every run with its checkpoint and exits with 75; "
                + "the same command goes on.",
                "With --fit nothing is trained: the largest net, resolution and batch that fit a device and a deadline are named."},
        sortOptions = false,
        footer = {"", "Examples:",
                "  firn study scaling --data fashion-mnist --baseline resnet20 --grid-step 0.1 --tolerance 0.1 --budget 1h",
                "  firn study scaling --data fashion-mnist --baseline efficientnet_b0 --dry-run --target h100 --epochs 10",
                "  firn study scaling --data photos/ --baseline efficientnet_b0 --fit --target h100 --deadline 8h --epochs 90"})
final class ScalingCommand implements Runnable {
    @Option(names = "--baseline", paramLabel = "NAME", split = ",", defaultValue = "efficientnet_b0",
            description = "Nets to scale, each in a study of its own (default: ${DEFAULT-VALUE}).")
    private List<String> baselines;

    @Option(names = "--budget", paramLabel = "TIME|FLOPS", defaultValue = "50m",
            description = "Decides how long each run is where neither --epochs nor --max-steps does: 40m, 2h, 2e15flop (default: "
                    + "${DEFAULT-VALUE}).")
    private String budget;

    @Option(names = "--cost", paramLabel = "F", defaultValue = "2",
            description = "Multiply-adds of the nets that are held against each other, over the baseline's (default: "
                    + "${DEFAULT-VALUE}).")
    private double cost;

    @Option(names = "--grid-step", paramLabel = "F", defaultValue = "0.2", description = "Of α, β and γ (default: ${DEFAULT-VALUE}).")
    private double step;

    @Option(names = "--tolerance", paramLabel = "F", defaultValue = "0.2",
            description = "By how much αβ²γ² may differ from 2 (default: ${DEFAULT-VALUE}).")
    private double tolerance;

    @Option(names = "--coefficients", paramLabel = "F", split = ",", description = "α,β,γ in place of the grid's best.")
    private List<Double> coefficients;

    @Option(names = "--halving",
            description = "Successive halving: give up the worse half of the grid after a quarter of --epochs, and again after a half.")
    private boolean halving;

    @Option(names = "--phi", paramLabel = "F", split = ",", description = "Write configurations at these φ too.")
    private List<Double> phis = List.of();

    @Option(names = "--fit", description = "Name the largest φ, resolution and batch that fit --target by --deadline.")
    private boolean isFit;

    @Option(names = "--deadline", paramLabel = "TIME", description = "With --fit: time for all of a training, such as 8h.")
    private String deadline;

    @Option(names = "--output", paramLabel = "STUDY", defaultValue = "studies/scaling",
            description = "The study's folder (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Mixin
    private StudyMixin study;

    @Override
    public void run() {
        Config options = study.options();
        if (isFit) {
            fit(options);
            return;
        }
        if (deadline != null) {
            throw UserError.usage("--deadline is for --fit: a study's length is --budget's");
        }
        Optional<Coefficients> given = Optional.ofNullable(coefficients).map(Coefficients::of);
        List<ScalingResult> results = new ArrayList<>();
        List<Job> priced = new ArrayList<>();
        for (String baseline : baselines) {
            var request = new Scaling.Request(baseline, study.seeds, study.hasLength(options) ? null : Budget.of("budget", budget),
                    cost, step, tolerance, given, phis, halving, options);
            StudyRequest how = study.request(baselines.size() == 1 ? output : output.resolve(baseline));
            if (study.isDry()) {
                priced.addAll(Scaling.price(request, how, study.target));
            } else {
                results.add(Scaling.run(request, how));
            }
        }
        if (study.isDry()) {
            List<PricedRun> runs = PricedRun.of(priced);
            study.print.print(runs, () -> PricedRun.text(runs));
        } else {
            study.print.print(results, () -> String.join("\n", results.stream().map(this::text).toList()));
        }
    }

    private void fit(Config options) {
        if (deadline == null) {
            throw UserError.usage("--fit needs --deadline, such as 8h");
        }
        Fit fit = Fit.of(baselines.getFirst(), Optional.ofNullable(coefficients).map(Coefficients::of).orElse(Coefficients.PAPER),
                study.target, Budget.seconds("deadline", deadline, ""), options, study.request(output));
        study.print.print(fit, () -> String.format(Locale.ROOT, "%s at φ %.1f: depth %.3f, width %.3f, resolution %d, batch %d on "
                + "%s%n%s of memory, %.3f ms a step, %.2f h for %d steps (predicted)%n", fit.baseline(), fit.phi(), fit.depth(),
                fit.width(), fit.resolution(), fit.batch(), fit.target(), Console.bytes(fit.bytes()), fit.stepMs(),
                fit.seconds() / 3600, fit.steps()));
    }

    private String text(ScalingResult r) {
        Console.Table table = new Console.Table("net", ">depth", ">width", ">resolution", ">multiply-adds", ">cost", ">memory",
                ">images/s", ">top-1");
        r.points().forEach(p -> table.row(p.name(), fixed(p.depth(), 2), fixed(p.width(), 2), p.resolution(),
                Console.count(p.multiplyAdds()), fixed(p.cost(), 2), Console.bytes(p.bytes()), fixed(p.imagesPerS(), 0),
                fixed(100 * p.mean(), 2) + " %"));
        return "%s%n%s: %s%n%s%nconfigurations: %s%n".formatted(table, r.baseline(), r.coefficients(), r.verdict(),
                String.join(", ", r.configs()));
    }

    private static String fixed(double v, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", v);
    }
}
