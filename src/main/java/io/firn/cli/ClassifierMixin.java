package io.firn.cli;

import io.firn.Firn;
import io.firn.train.Classifier;
import io.firn.train.Config;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Set;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A trained network and how to run it. */
final class ClassifierMixin {
    private static final Set<String> KEYS = Set.of("model", "classes", "channels", "resolution", "width", "depth", "phi",
            "resize", "mean", "std", "workers", "batch", "precision", "device", "threads");

    @Option(names = "--init", paramLabel = "WEIGHTS", required = true,
            description = "A weight file, or a run folder: its best, else last, weights.")
    private Path init;

    @Option(names = "--model", paramLabel = "NAME", description = "For weight files that do not say what model they hold.")
    private String model;

    @Option(names = "--batch", paramLabel = "N", description = "Images at once (default: 64, or as many as there are).")
    private Integer batch;

    @Option(names = "--precision", paramLabel = "fp32|tf32|bf16|fp16|auto",
            description = "Of products and activations (default: fp32).")
    private String precision;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: one a core).")
    private Integer threads;

    @Option(names = "--device", paramLabel = "auto|cpu|cuda[:N]", description = "Where to compute (default: auto).")
    private String device;

    @Mixin
    private SizeMixin size;

    @Mixin
    private ImagesMixin images;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Reads the network; its progress goes to standard error. */
    Classifier open() {
        Config asked = AskedOptions.of(command, KEYS);
        PrintWriter err = command.commandLine().getErr();
        return Firn.load(init, asked, ((Main) command.root().userObject()).devices(), new Classifier.Remarks() {
            private ImageProgress progress;

            @Override
            public void say(String line) {
                err.println(line);
            }

            @Override
            public void done(int images, int total) {
                progress = progress == null ? new ImageProgress(total, err) : progress;
                progress.done(images);
                if (images == total) {
                    progress.close();
                }
            }
        });
    }
}
