package io.firn.cli;

import io.firn.Firn;
import io.firn.files.AtomicFile;
import io.firn.finetune.Advice;
import io.firn.finetune.Advisor;
import io.firn.train.Config;
import io.firn.train.TrainOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.OptionalDouble;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code firn advise}. */
@Command(name = "advise", header = "Measures a data set with given weights, and says what to freeze, why, and at what price.",
        description = {"", "Takes the options of firn train, so that what is priced is what would run. See docs/finetune.md."},
        sortOptions = false,
        footer = {"", "Examples:", "  firn advise --data photos/ --init resnet50.pth --model resnet50",
                "  firn advise --data photos/ --init runs/first --budget 300 --output advice.html",
                "  firn advise --data photos/ --init runs/first --target h100 --batch 256"})
final class AdviseCommand implements Runnable {
    @Mixin
    private TaskMixin task;

    @Option(names = "--budget", paramLabel = "SECONDS",
            description = "Confirm by short trainings that take about so long (default: none are made).")
    private Double budget;

    @Option(names = "--no-timing", description = "Price by the plans alone, without running a few steps of each.")
    private boolean noTiming;

    @Option(names = "--target", paramLabel = "NAME", defaultValue = "cpu",
            description = "Price the alternatives for a GPU that need not be here, by plans alone: h100, h200, a100, l4, l40s, "
                    + "rtx4090, or a .json of 'firn info --export-target'. What is measured is measured here (default: "
                    + "${DEFAULT-VALUE}, this machine).")
    private String target;

    @Option(names = "--output", paramLabel = "FILE", description = "A page with all figures and the taps' curves.")
    private Path output;

    @Mixin
    private RecipeMixin recipe;

    @Mixin
    private NetMixin net;

    @Mixin
    private ImagesMixin images;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private PlaceMixin place;

    @Mixin
    private OutputMixin print;

    @Spec
    private CommandSpec spec;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        Config asked = AskedOptions.of(spec, TrainOptions.keys());
        OptionalDouble seconds = budget == null ? OptionalDouble.empty() : OptionalDouble.of(budget);
        Advice advice = Firn.advise(asked, firn.devices(), new Advisor.How(seconds, !noTiming, target), print::say);
        if (output != null) {
            AtomicFile.write(output, advice.html().getBytes(StandardCharsets.UTF_8));
        }
        print.print(advice, () -> AdviceText.of(advice) + (output == null ? "" : "page in " + output + "\n"));
    }
}
