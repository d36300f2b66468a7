package io.firn.cli;

import io.firn.Firn;
import io.firn.report.LiveView;
import io.firn.train.Config;
import io.firn.train.FoundRate;
import io.firn.train.RunSummary;
import io.firn.train.TrainOptions;
import io.firn.train.TrainRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code firn train}. */
@Command(name = "train", header = "Trains a model from scratch or from given weights, or goes on with a run.",
        description = {"", "Writes a run folder with the configuration as resolved, metrics, weights and a checkpoint. "
                + "Ctrl-C and SIGTERM write a checkpoint and exit with 75; --resume goes on exactly there."},
        sortOptions = false,
        footer = {"", "Examples:", "  firn train --data fashion-mnist --model resnet20 --epochs 2",
                "  firn train --data fashion-mnist --model resnet20 --recipe cifar-resnet --epochs 20",
                "  firn train --data fashion-mnist --model resnet20 --find-lr",
                "  firn train --data photos/ --val-split 0.1 --model efficientnet_b0 --output runs/photos",
                "  firn train --resume --output runs/photos",
                "  firn train --data photos/ --model resnet50 --ranks 2 --sync-bn --batch 64",
                "  firn train --data photos/ --model resnet50 --device cuda:0,1 --batch 512",
                "  firn train --data photos/ --model resnet50 --ui"})
final class TrainCommand implements Runnable {
    @Mixin
    private TaskMixin task;

    @Option(names = "--output", paramLabel = "RUN", description = "The run's folder (default: runs/MODEL-DATE).")
    private Path output;

    @Option(names = "--resume", description = "Go on with the run in --output, or with the model's last one.")
    private boolean resume;

    @Option(names = "--find-lr",
            description = "Train nothing, but step through learning rates and propose one; writes lr.json and lr.html.")
    private boolean findRate;
    @Option(names = "--config", paramLabel = "FILE",
            description = "Options by their long names in TOML, such as a run's config.toml; the command line wins.")
    private Path config;

    @Mixin
    private RecipeMixin recipe;

    @Mixin
    private TransferMixin transfer;

    @Mixin
    private NetMixin net;

    @Mixin
    private ImagesMixin images;

    @Option(names = "--image-cache", paramLabel = "SIZE",
            description = "Keep decoded images, resized to --resize, in so much memory at most (such as 8GB); random crops are "
                    + "then cut out of those.")
    private String imageCache;

    @Option(names = "--image-cache-folder", paramLabel = "FOLDER",
            description = "Keep them in a file there instead, which goes with the process.")
    private Path imageCacheFolder;

    @Mixin
    private ComputeMixin compute;

    @Mixin
    private PlaceMixin place;

    @Option(names = "--checkpoint-every", paramLabel = "SECONDS", description = "Time between checkpoints (default: 60).")
    private Integer checkpointEvery;

    @Mixin
    private LiveMixin live;

    @Mixin
    private RanksMixin ranks;

    @Mixin
    private OutputMixin print;

    @Spec
    private CommandSpec spec;

    @ParentCommand
    private Main firn;

    @Override
    public void run() {
        if (findRate) {
            proposeRate();
            return;
        }
        Config asked = AskedOptions.of(spec, TrainOptions.keys());
        if (config != null) {
            asked = asked.over(TrainOptions.read(config));
        }
        try (LiveView view = live.listen(firn.err())) {
            RunSummary s = Firn.train(new TrainRequest(asked, Optional.ofNullable(output), resume, true, firn.devices(),
                    firn.err(), words(spec), Optional.ofNullable(view)));
            if (s.run() != null) { // the other ranks leave it to the first to speak
                print.print(s, () -> text(s));
            }
        }
    }

    /** The command line as it was typed. */
    static List<String> words(CommandSpec spec) {
        List<String> words = new ArrayList<>(List.of("firn"));
        words.addAll(spec.root().commandLine().getParseResult().originalArgs());
        return words;
    }

    private void proposeRate() {
        Config asked = AskedOptions.of(spec, TrainOptions.keys());
        FoundRate r = Firn.findRate(new TrainRequest(config == null ? asked : asked.over(TrainOptions.read(config)),
                Optional.ofNullable(output), false, true, firn.devices(), firn.err()));
        print.print(r, () -> String.format(Locale.ROOT, "--lr %.2g is where the loss falls the fastest (it is least at "
                + "%.2g)%nresults in %s%n", r.proposed(), r.minimum(), r.output()));
    }

    static String text(RunSummary s) {
        String top1 = s.bestTop1() == null ? "" : String.format(Locale.ROOT, ", best validation top-1 %.2f %%",
                100 * s.bestTop1());
        return String.format(Locale.ROOT, "%s: %d epochs, %d steps, %.0f s, %.0f images/s%s%nresults in %s%n", s.model(),
                s.epochs(), s.steps(), s.seconds(), s.imagesPerS(), top1, s.run());
    }
}
