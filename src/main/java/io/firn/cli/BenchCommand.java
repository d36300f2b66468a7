package io.firn.cli;

import io.firn.error.UserError;
import io.firn.train.Bench;
import io.firn.train.BenchReport;
import io.firn.train.InputBench;
import io.firn.train.InputReport;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code firn bench}. */
@Command(name = "bench", header = "Times a model's step: throughput, memory, share of the machine's peak.",
        description = {"", "With --input: how many images/s are read, decoded, resized and varied, and, given a model, "
                + "whether its step would have to wait for them."},
        footer = {"", "Examples: firn bench --model resnet50 --batch 16 --precision bf16 --launches 10",
                "          firn bench --input --data photos/ --workers 4 --model resnet50"})
final class BenchCommand implements Runnable {
    @Option(names = "--model", paramLabel = "NAME", description = "A name of 'firn models'.")
    private String model;

    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "The same, without --model.")
    private String positional;

    @Option(names = "--steps", paramLabel = "N", defaultValue = "10",
            description = "Steps to time (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--warmup", paramLabel = "N", defaultValue = "10",
            description = "Steps before that are not timed (default: ${DEFAULT-VALUE}).")
    private int warmup;

    @Option(names = "--launches", paramLabel = "N", defaultValue = "0",
            description = "Also list the N slowest launches, each timed alone.")
    private int launches;

    @Option(names = "--profile", paramLabel = "FILE",
            description = "Writes a trace of three more steps, launch by launch, for chrome://tracing or Perfetto.")
    private Path profile;

    @Option(names = "--device", paramLabel = "auto|cpu|cuda[:N]", defaultValue = "auto",
            description = "Where to compute (default: ${DEFAULT-VALUE}).")
    private String device;

    @Mixin
    private InputBenchMixin input;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private StepMixin step;

    @Mixin
    private OutputMixin output;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        if (input.wanted()) {
            boolean hasModel = model != null || positional != null;
            InputReport report = InputBench.run(input.request(hasModel ? Optional.of(request()) : Optional.empty()), firn.devices());
            output.print(report, () -> InputBenchMixin.text(report));
            return;
        }
        BenchReport report = Bench.run(request(), firn.devices());
        output.print(report, () -> text(report));
    }

    private Bench.Request request() {
        return new Bench.Request(step.request(name()), compute::precision, device.toLowerCase(Locale.ROOT), compute.threads(),
                steps, warmup, launches, Optional.ofNullable(profile));
    }

    private String name() {
        if (model == null && positional == null) {
            throw UserError.usage("--model is missing: `firn models` lists them");
        }
        if (model != null && positional != null && !model.equals(positional)) {
            throw UserError.usage("--model %s or %s: one of them", model, positional);
        }
        return model != null ? model : positional;
    }

    private static String text(BenchReport r) {
        String head = "%s, %s at batch %s, %d pixels, %s%s, %s, %d threads, %s%n%n".formatted(r.model(), r.mode(),
                r.microBatches() == 1 ? String.valueOf(r.batch()) : r.microBatches() + " x " + r.batch(),
                r.resolution(), r.precision(), r.freeze().equals("none") ? "" : ", frozen: " + r.freeze(), r.device(),
                r.threads(), r.versions());
        var table = new Console.Table("", ">median", ">min", ">max");
        table.row("images/s", number(r.imagesPerS().median()), number(r.imagesPerS().min()), number(r.imagesPerS().max()));
        table.row("ms a step", number(r.stepMs().median()), number(r.stepMs().min()), number(r.stepMs().max()));
        String rest = "%nmemory        %s beyond the idle process (the plan's arenas: %s)%n".formatted(
                Console.bytes(r.memoryBytes()), Console.bytes(r.planBytes()))
                + "roofline      %s %% of what this machine's peaks allow: %s GFLOP/s in f32, %s in bf16, %s GB/s%n".formatted(
                number(100 * r.rooflineShare()), number(r.peaks().flops32() / 1e9), number(r.peaks().flops16() / 1e9),
                number(r.peaks().bandwidth() / 1e9))
                + "a step has    %s FLOPs and moves %s; predicted: %s ms%n".formatted(Console.count(r.flops()),
                Console.bytes(r.bytes()), number(r.predictedMs()));
        return head + table + rest + (r.launches().isEmpty() ? "" : "\n" + launches(r));
    }

    private static Console.Table launches(BenchReport r) {
        var table = new Console.Table(">ms", ">GFLOP/s", ">GB/s", ">roofline", "phase", "name", "op", "kernel");
        for (BenchReport.LaunchTime l : r.launches()) {
            table.row(String.format(Locale.ROOT, "%.3f", l.ms()), l.gflopPerS() == 0 ? "" : number(l.gflopPerS()),
                    number(l.gbPerS()), number(100 * l.rooflineShare()) + " %", l.phase(), l.name(), l.op(), l.kernel());
        }
        return table;
    }

    private static String number(double x) {
        return String.format(Locale.ROOT, Math.abs(x) < 100 ? "%.2f" : "%.0f", x);
    }
}
