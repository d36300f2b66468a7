package io.firn.cli;

import io.firn.Firn;
import io.firn.finetune.FineTuning;
import io.firn.train.Config;
import io.firn.train.TrainOptions;
import io.firn.train.TrainRequest;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code firn finetune}. */
@Command(name = "finetune", header = "Measures what to freeze, gives the network a head to start from, and trains the rest.",
        description = {"", "Takes the options of firn train; --freeze overrules what is measured. The run's config.toml "
                + "repeats it with firn train. See docs/finetune.md."},
        sortOptions = false,
        footer = {"", "Examples:", "  firn finetune --data photos/ --val-split 0.2 --init resnet50.pth --model resnet50",
                "  firn finetune --data photos/ --init runs/first --gradual 2 --output runs/photos",
                "  firn finetune --data photos/ --init runs/first --freeze until:layer4"})
final class FinetuneCommand implements Runnable {
    @Mixin
    private TaskMixin task;

    @Option(names = "--output", paramLabel = "RUN", description = "The run's folder (default: runs/MODEL-DATE).")
    private Path output;

    @Option(names = "--resume", description = "Go on with the run in --output, or with the model's last one.")
    private boolean resume;

    @Option(names = "--config", paramLabel = "FILE",
            description = "Options by their long names in TOML, such as a run's config.toml; the command line wins.")
    private Path config;

    @Option(names = "--budget", paramLabel = "SECONDS",
            description = "Confirm what is measured by short trainings that take about so long (default: none are made).")
    private Double budget;

    @Option(names = "--gradual", paramLabel = "EPOCHS",
            description = "Begin with the head, and train one more stage after each so many epochs.")
    private Integer gradual;

    @Option(names = "--head-start", paramLabel = "auto|probe|none", defaultValue = "auto",
            description = "Start from a closed-form classifier on the features: where the classes are other ones, always, or "
                    + "never (default: ${DEFAULT-VALUE}).")
    private FineTuning.Head head;

    @Mixin
    private TransferMixin transfer;

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

    @Option(names = "--checkpoint-every", paramLabel = "SECONDS", description = "Time between checkpoints (default: 60).")
    private Integer checkpointEvery;

    @Mixin
    private OutputMixin print;

    @Spec
    private CommandSpec spec;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        Config asked = AskedOptions.of(spec, TrainOptions.keys());
        if (config != null) {
            asked = asked.over(TrainOptions.read(config));
        }
        FineTuning.Result r = Firn.finetune(new TrainRequest(asked, Optional.ofNullable(output), resume, true, firn.devices(),
                firn.err(), TrainCommand.words(spec), Optional.empty()), new FineTuning.Options(
                budget == null ? OptionalDouble.empty() : OptionalDouble.of(budget), gradual, head));
        print.print(r, () -> TrainCommand.text(r.run()));
    }
}
