package io.firn.cli;

import io.firn.error.UserError;
import io.firn.study.LocalSite;
import io.firn.study.Site;
import io.firn.study.StudyRequest;
import io.firn.train.Config;
import io.firn.train.TrainOptions;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What studies have in common: where they go, how many runs go on at a time, and options of all trainings. */
final class StudyMixin {
    @Option(names = "--data", paramLabel = "PATH", required = true,
            description = "A folder of class folders, IDX or CIFAR files, or a built-in name: fashion-mnist.")
    private String data;

    @Option(names = "--val", paramLabel = "PATH", description = "A set to validate with (default: the data set's own part).")
    private String val;

    @Option(names = "--seeds", paramLabel = "N", defaultValue = "3", description = "Runs of each net (default: ${DEFAULT-VALUE}).")
    int seeds;

    @Option(names = "--jobs", paramLabel = "N", description = "Runs at a time (default: one a core of this machine, or with "
            + "--slurm of the cluster's nodes).")
    private Integer jobs;

    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the images of each run.")
    private Integer epochs;

    @Option(names = "--max-steps", paramLabel = "N", description = "Steps of each run.")
    private Long maxSteps;

    @Option(names = "--batch", paramLabel = "N", description = "Images in a step.")
    private Integer batch;

    @Option(names = "--lr", paramLabel = "F", description = "Learning rate.")
    private Double rate;

    @Option(names = "--resolution", paramLabel = "R", description = "Pixels of the images' side.")
    private Integer resolution;

    @Option(names = "--augment", paramLabel = "none|flip|standard", description = "How training images are varied.")
    private String augment;

    @Option(names = "--config", paramLabel = "FILE",
            description = "Further options of the trainings, by their long names in TOML; the command line wins.")
    private Path config;

    @Option(names = "--precision", paramLabel = "fp32|bf16|auto", description = "Of products and activations (default: auto).")
    private String precision;

    @Option(names = "--dry-run", description = "Price the runs, and run none.")
    private boolean isDry;

    @Option(names = "--target", paramLabel = "NAME", defaultValue = "cpu",
            description = "With --dry-run, price them for a GPU that need not be here, such as h100 (default: this machine).")
    String target;

    @Mixin
    private SlurmMixin slurm;

    @Mixin
    OutputMixin print;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Options of all trainings, as asked for. */
    Config options() {
        Config asked = AskedOptions.of(command, TrainOptions.keys()).without("output", "config");
        return config == null ? asked : asked.over(TrainOptions.read(config));
    }

    StudyRequest request(Path output) {
        Main firn = (Main) command.root().userObject();
        int most = jobs == null ? 0 : jobs;
        Site site = slurm.site(most, firn.err()).<Site>map(s -> s).orElseGet(() -> new LocalSite(most, firn()));
        return new StudyRequest(output, site, firn.devices(), firn.err(), true);
    }

    /** Whether nothing is to be run. */
    boolean isDry() {
        if (!isDry && !target.equals("cpu")) {
            throw UserError.usage("--target %s prices runs for a device that is not used: add --dry-run", target);
        }
        return isDry;
    }

    /** Whether a number of steps was asked for. */
    boolean hasLength(Config options) {
        return options.has("epochs") || options.has("max-steps");
    }

    /** The words that started this very process, up to its command. */
    private static List<String> firn() {
        List<String> words = new ArrayList<>();
        words.add(ProcessHandle.current().info().command().orElse("java"));
        // Standard error is a file there, and no terminal.
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(a -> !a.startsWith("-Dfirn.")).forEach(words::add);
        words.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        return words;
    }
}
