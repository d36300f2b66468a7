package io.firn.cli;

import io.firn.data.Augment;
import io.firn.error.UserError;
import io.firn.models.Preset;
import io.firn.train.Bench;
import io.firn.train.InputBench;
import io.firn.train.InputReport;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Option;

/** What {@code firn bench --input} times: the way from a data set's files to batches. */
final class InputBenchMixin {
    /** ImageNet's, for want of a model. */
    private static final int RESOLUTION = 224;
    private static final int RESIZE = 256;
    private static final int BATCH = 32;

    @Option(names = "--input", description = "Time the reading of images instead of a step; needs --data.")
    private boolean input;

    @Option(names = "--data", paramLabel = "PATH", description = "For --input: as for train.")
    private String data;

    @Option(names = "--augment", paramLabel = "HOW", defaultValue = "standard",
            description = "For --input: as for train (default: ${DEFAULT-VALUE}).")
    private Augment augment;

    @Option(names = "--workers", paramLabel = "N",
            description = "For --input: threads that read and decode (default: one a core).")
    private Integer workers;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "5",
            description = "For --input: how long each part is timed (default: ${DEFAULT-VALUE}).")
    private double seconds;

    boolean wanted() {
        if (!input && data != null) {
            throw UserError.usage("--data is for --input: a step is timed with random images in memory");
        }
        return input;
    }

    /** @param step the model's step to compare with, which also says the size of images */
    InputBench.Request request(Optional<Bench.Request> step) {
        if (data == null) {
            throw UserError.usage("--input needs --data PATH: the images to read");
        }
        var model = step.map(s -> s.step().model());
        Preset preset = model.map(m -> m.preset()).orElse(null);
        return new InputBench.Request(data, model.map(m -> m.options().batch()).orElse(BATCH),
                preset == null ? RESOLUTION : preset.crop(), preset == null ? RESIZE : preset.resize(), augment,
                workers == null ? Runtime.getRuntime().availableProcessors() : workers, seconds, step);
    }

    static String text(InputReport r) {
        var table = new Console.Table("", ">images/s", ">per worker", ">per CPU second");
        r.stages().forEach(s -> table.row(s.name(), number(s.imagesPerS()), number(s.perWorker()),
                number(s.perCpuSecond())));
        r.model().ifPresent(m -> table.row("%s, %s, %s".formatted(m.mode(), m.name(), m.precision()),
                number(m.imagesPerS()), "", ""));
        String head = "%s: %s images, %d workers, batch %d at %d pixels, augment %s%n%n".formatted(r.data(),
                Console.count(r.images()), r.workers(), r.batch(), r.resolution(), r.augment());
        double input = r.stages().getLast().imagesPerS();
        String verdict = r.model().map(m -> "%nthe %s limits training: reading yields %s times what the step takes%n"
                .formatted(r.limit().orElseThrow(), number(input / m.imagesPerS()))).orElse("");
        return head + table + verdict;
    }

    private static String number(double x) {
        return String.format(Locale.ROOT, x < 10 ? "%.2f" : "%.0f", x);
    }
}
