package io.firn.cli;

import io.firn.error.UserError;
import io.firn.train.Classifier;
import io.firn.train.Prediction;
import io.firn.train.Predictions;
import io.firn.weights.AtomicFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code firn predict}. */
@Command(name = "predict", header = "Names the classes of images.",
        description = {"", "An image that cannot be read is told of; the others are predicted, and the exit code is 3. "
                + "The file of --logits is written for all images or not at all."},
        footer = {"", "Example: firn predict --init runs/first shoe.png photos/"})
final class PredictCommand implements Runnable {
    @Parameters(paramLabel = "IMAGES", arity = "1..*", description = "Image files, and folders of them in name order.")
    private List<Path> images;

    @Option(names = "--logits", paramLabel = "FILE", description = "Write logits and classes of all images to a JSON file.")
    private Path logits;

    @Mixin
    private ClassifierMixin classifier;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        try (Classifier net = classifier.open()) {
            Predictions found = net.predict(images);
            if (logits != null && found.damaged().isEmpty()) {
                AtomicFile.write(logits, Console.json(found).getBytes(StandardCharsets.UTF_8));
            }
            output.print(found, () -> found.images().stream().map(PredictCommand::line).collect(Collectors.joining()));
            if (!found.damaged().isEmpty()) {
                throw UserError.data("%d of %d images could not be read%s", found.damaged().size(),
                        found.damaged().size() + found.images().size(), logits == null ? "" : "; %s was not written"
                                .formatted(logits));
            }
        }
    }

    private static String line(Prediction p) {
        return p.file() + ": " + p.top().stream().map(r -> String.format(Locale.ROOT, "%s %.1f %%", r.name(),
                100 * r.probability())).collect(Collectors.joining(", ")) + "\n";
    }
}
