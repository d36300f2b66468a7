package io.firn.cli;

import io.firn.study.Budget;
import io.firn.study.Degradation;
import io.firn.study.DegradationResult;
import io.firn.study.StudyRequest;
import io.firn.train.Config;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn study degradation}. */
@Command(name = "degradation", header = "Trains plain and residual nets of rising depth alike, and tests whether depth harms.",
        description = {"", "Writes a folder with every run, results.json and report.html. What the verdict is made by is written "
                + "down before the first run. Ctrl-C leaves every run with its checkpoint and exits with 75; the same command "
                + "goes on, and repeats nothing that is done."},
        sortOptions = false,
        footer = {"", "Examples:", "  firn study degradation --data fashion-mnist",
                "  firn study degradation --data fashion-mnist --depths 20,56 --seeds 5 --epochs 4 --output studies/deep",
                "  firn study degradation --data /shared/photos --epochs 10 --slurm --time 2:00:00 --output /shared/deep"})
final class DegradationCommand implements Runnable {
    @Option(names = "--depths", paramLabel = "N", split = ",", defaultValue = "20,32,44,56",
            description = "Layers: 20, 32, 44, 56, 110 (the nets for small images), or 18, 34 (default: ${DEFAULT-VALUE}).")
    private List<Integer> depths;

    @Option(names = "--budget", paramLabel = "TIME|FLOPS", defaultValue = "50m",
            description = "Decides how long each run is where neither --epochs nor --max-steps does: 40m, 2h, 2e15flop (default: "
                    + "${DEFAULT-VALUE}).")
    private String budget;

    @Option(names = "--output", paramLabel = "STUDY", defaultValue = "studies/degradation",
            description = "The study's folder (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Mixin
    private StudyMixin study;

    @Override
    public void run() {
        Config options = study.options();
        var request = new Degradation.Request(depths, study.seeds, study.hasLength(options) ? null : Budget.of("budget", budget),
                options);
        StudyRequest how = study.request(output);
        if (study.isDry()) {
            List<PricedRun> runs = PricedRun.of(Degradation.price(request, how, study.target));
            study.print.print(runs, () -> PricedRun.text(runs));
            return;
        }
        DegradationResult r = Degradation.run(request, how);
        study.print.print(r, () -> text(r));
    }

    private String text(DegradationResult r) {
        Console.Table table = new Console.Table("run", ">training error", ">validation error", ">s");
        r.runs().forEach(x -> table.row(x.name(), percent(x.trainError()), x.valError() == null ? null : percent(x.valError()),
                Math.round(x.seconds())));
        return "%s%n%s%nreport in %s%n".formatted(table, r.verdict(), output.resolve("report.html"));
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.2f %%", 100 * share);
    }
}
