package io.firn.train;

import io.firn.error.UserError;
import io.firn.report.LiveView;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A training that is asked for.
 *
 * @param asked   options by their long names, the command line's over the configuration file's
 * @param output  the run's folder; empty chooses {@code runs/MODEL-DATE}, or the model's last run with {@code resume}
 * @param resume  whether to go on with the run that is there
 * @param signals whether Ctrl-C and SIGTERM end the run with a checkpoint
 * @param log     where progress and remarks go
 * @param command the command line's words, to be kept with the run; empty where a Java program asks
 * @param view    shows the run while it runs, and belongs to whoever asks
 */
public record TrainRequest(Config asked, Optional<Path> output, boolean resume, boolean signals, Devices devices,
                           PrintStream log, List<String> command, Optional<LiveView> view) {
    private static final Path RUNS = Path.of("runs");

    public TrainRequest {
        command = List.copyOf(command);
    }

    /** A training that a Java program asks for. */
    public TrainRequest(Config asked, Optional<Path> output, boolean resume, boolean signals, Devices devices,
                        PrintStream log) {
        this(asked, output, resume, signals, devices, log, List.of(), Optional.empty());
    }

    /** A quiet training in this machine's process that leaves signals alone. */
    public static TrainRequest of(Map<String, ?> options, Path output) {
        return new TrainRequest(Config.of(options), Optional.of(output), false, false, Devices::local,
                new PrintStream(OutputStream.nullOutputStream()));
    }

    /** The same, going on with what is there. */
    public TrainRequest resumed() {
        return new TrainRequest(asked, output, true, signals, devices, log, command, view);
    }

    /** A new folder for what is not a run itself. */
    Path folder(String suffix) {
        return RunFolder.choose(RUNS, model().orElseThrow(NetOptions::missing) + suffix, LocalDateTime.now());
    }

    /** The model as given, or as the weights to start from say. */
    private Optional<String> model() {
        return asked.text("model").or(() -> asked.text("init").flatMap(i -> ModelCard.ofWeights(Path.of(i)))
                .map(ModelCard::model));
    }

    /** The folder of the run. */
    public Path folder() {
        return output.orElseGet(() -> {
            String model = model().orElseThrow(() -> resume
                    ? UserError.usage("--resume needs --output RUN, or --model to find that model's last run")
                    : NetOptions.missing());
            Optional<Path> last = resume ? RunFolder.latest(RUNS, model) : Optional.empty();
            return last.orElseGet(() -> RunFolder.choose(RUNS, model, LocalDateTime.now()));
        });
    }
}
