package io.firn.cli;

import io.firn.backend.Backend;
import io.firn.error.UserError;
import io.firn.plan.Precision;
import io.firn.train.Config;
import io.firn.train.ResumeCheck;
import io.firn.train.Selftest;
import io.firn.train.SelftestReport;
import io.firn.train.TrainOptions;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code firn selftest}. */
@Command(name = "selftest", header = "Holds this machine's kernels to the reference, launch by launch, and trains a little.",
        footer = {"", "Examples:", "  firn selftest --device cpu",
                "  firn selftest --device cuda --models resnet50,efficientnet_b0 --json",
                "  firn selftest --resume --data fashion-mnist --model resnet20 --batch 64 --mixup 0.2 --ema 0.99",
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

    @Option(names = "--resume",
            description = "Prove that a training with the options below, killed and resumed, comes to the same bits as one "
                    + "that was not; they are those of firn train. Without it, only --batch and --resolution count.")
    private boolean resume;

    @Option(names = "--data", paramLabel = "PATH", description = "With --resume: as for train.")
    private String data;

    @Option(names = "--model", paramLabel = "NAME", description = "With --resume: as for train.")
    private String model;

    @Option(names = "--val-split", paramLabel = "F", description = "With --resume: as for train.")
    private Double valSplit;

    @Option(names = "--seed", paramLabel = "N", description = "With --resume: as for train.")
    private Long seed;

    @Option(names = "--config", paramLabel = "FILE", description = "With --resume: options by their long names, in TOML.")
    private Path config;

    @Mixin
    private RecipeMixin recipe;

    @Mixin
    private NetMixin net;

    @Mixin
    private ImagesMixin images;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        Config asked = AskedOptions.of(spec, TrainOptions.keys());
        if (resume) {
            resume(config == null ? asked : asked.over(TrainOptions.read(config)));
            return;
        }
        asked.without("batch", "resolution", "precision", "threads", "device").keys().findFirst().ifPresent(key -> {
            throw UserError.usage("--%s goes with --resume: the other checks have networks of their own", key);
        });
        Integer batch = number(asked, "batch");
        Integer resolution = number(asked, "resolution");
        List<Selftest.Net> nets = models == null ? Selftest.Net.defaults() : models.stream().map(Selftest.Net::of).toList();
        nets = nets.stream().map(n -> resized(n, batch, resolution)).toList();
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

    private static Selftest.Net resized(Selftest.Net n, Integer batch, Integer resolution) {
        var o = batch == null ? n.options() : n.options().withBatch(batch);
        return new Selftest.Net(n.model(), resolution == null ? o : o.withResolution(resolution), n.table());
    }

    /** A whole number that was given; null where none was. */
    private static Integer number(Config asked, String key) {
        return asked.text(key).map(value -> {
            if (!value.matches("[1-9]\\d{0,8}")) {
                throw UserError.usage("--%s takes a whole number, not '%s'", key, value);
            }
            return Integer.valueOf(value);
        }).orElse(null);
    }

    private void resume(Config asked) {
        ResumeCheck.Result r = ResumeCheck.run(asked.with("device", device), program(), output::say);
        output.print(r, () -> "%s: killed at step %d, resumed from step %d to %d: %d tensors and %d losses compared, %d differ%n"
                .formatted(r.passed() ? "passed" : "FAILED", r.killed(), r.checkpoint(), r.steps(), r.tensors(), r.steps(),
                        r.differing().size()));
        if (!r.passed()) {
            throw UserError.other("selftest: after a kill and a resume these differ: %s", String.join(", ", r.differing()));
        }
    }

    /** This program's command line up to its own arguments, as this process was started. */
    private static List<String> program() {
        List<String> program = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"),
                "-cp", System.getProperty("java.class.path")));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                // The descriptor that it names is this process's alone.
                .filter(a -> !a.startsWith("-D" + StandardStreams.STDERR_PROPERTY)).forEach(program::add);
        program.add(Main.class.getName());
        return program;
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
