package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.error.UserError;
import io.firn.plan.Precision;
import io.firn.train.Selftest;
import io.firn.train.SelftestReport;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** {@code firn selftest}. */
@Command(name = "selftest", header = "Holds this machine's kernels to the reference, launch by launch, and trains a little.",
        footer = {"", "Example: firn selftest --device cpu", "         firn selftest --device cuda --models resnet50,efficientnet_b0 --json",
                "Exit code 1 if anything was outside its tolerance."})
final class SelftestCommand implements Runnable {
    /** Kinds of launches that the text lists. */
    private static final int LISTED = 20;

    @Option(names = "--device", paramLabel = "auto|cpu|cuda[:N]", defaultValue = "auto",
            description = "What to test (default: ${DEFAULT-VALUE}).")
    private String device;

    @Option(names = "--models", paramLabel = "NAME,…", split = ",",
            description = "Nets whose plans are tested (default: one of each family).")
    private List<String> models;

    @Option(names = "--batch", paramLabel = "N", description = "Images in a step (default: 2 to 4).")
    private Integer batch;

    @Option(names = "--resolution", paramLabel = "R", description = "Pixels of the images' side (default: at most 65).")
    private Integer resolution;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        List<Selftest.Net> nets = models == null ? Selftest.Net.defaults() : models.stream().map(Selftest.Net::of).toList();
        nets = nets.stream().map(this::resized).toList();
        try (Backend backend = firn.devices().open(device.toLowerCase(Locale.ROOT), compute.threads())) {
            SelftestReport report = Selftest.run(backend, nets, precisions(backend), compute.threads(), output::say);
            output.print(report, () -> text(report));
            if (!report.passed()) {
                throw UserError.other("selftest: %d checks failed on %s", report.failures().size(), report.device());
            }
        }
    }

    /** All that the device has, or the one that was asked for. */
    private List<Precision> precisions(Backend backend) {
        Precision asked = compute.precision(backend);
        return compute.isPrecisionAuto() && asked != Precision.FP32 ? List.of(Precision.FP32, asked) : List.of(asked);
    }

    private Selftest.Net resized(Selftest.Net n) {
        var o = batch == null ? n.options() : n.options().withBatch(batch);
        return new Selftest.Net(n.model(), resolution == null ? o : o.withResolution(resolution), n.table());
    }

    private static String text(SelftestReport r) {
        var nets = new Console.Table("net", "precision", ">batch", ">channels", ">pixels", ">launches", ">seconds");
        r.nets().forEach(n -> nets.row(n.model(), n.precision(), n.batch(), n.channels(), n.resolution(), n.launches(),
                "%.1f".formatted(n.seconds())));
        var kernels = new Console.Table("kind of launch", ">launches", ">worst error", ">allowed", "in");
        r.kernels().stream().limit(LISTED).forEach(k -> kernels.row(k.kernel(), k.launches(), error(k.error()),
                "%.0e".formatted(k.tolerance()), k.worst()));
        var steps = new Console.Table("whole step", "precision", "of", ">error", ">allowed");
        r.steps().forEach(s -> steps.row(s.model(), s.precision(), s.what(), error(s.error()),
                "%.0e".formatted(s.tolerance())));
        StringBuilder text = new StringBuilder("%s, %s%n%n%s%n".formatted(r.device(), r.versions(), nets));
        text.append(kernels);
        if (r.kernels().size() > LISTED) {
            text.append("and %d kinds that are further from what is allowed (--json lists all)%n".formatted(
                    r.kernels().size() - LISTED));
        }
        text.append('\n').append(steps).append('\n');
        r.trainings().forEach(t -> text.append(String.format(Locale.ROOT,
                "training %s in %s: loss %.3f to %.3f in %d steps, %s%n", t.model(), t.precision(), t.firstLoss(),
                t.lastLoss(), t.steps(), t.repeats() ? "repeats bit for bit" : "does not repeat")));
        text.append("memory of %s: %s planned, %s grown%n".formatted(r.memory().model(),
                Console.bytes(r.memory().planned()), Console.bytes(r.memory().grown())));
        r.failures().forEach(f -> text.append("FAILED ").append(f).append('\n'));
        return text.append(String.format(Locale.ROOT, "%s: %d launches in %.1f s%n", r.passed() ? "passed" : "FAILED",
                r.launches(), r.seconds())).toString();
    }

    private static String error(double e) {
        return String.format(Locale.ROOT, "%.1e", e);
    }
}
