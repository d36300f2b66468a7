package io.firn.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.train.Classifier;
import io.firn.train.Prediction;
import io.firn.train.Predictions;
import io.firn.train.Throughput;
import io.firn.train.Views;
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
                + "The files of --logits and --features are written for all images or not at all; that of "
                + "--output has a line for each image, with the reason where it could not be read."},
        footer = {"", "Examples: firn predict --init runs/first shoe.png photos/",
                "          firn predict --init runs/first shard-000.tar shard-001.tar --output found.csv --tta mirror"})
final class PredictCommand implements Runnable {
    @Parameters(paramLabel = "IMAGES", arity = "1..*",
            description = "Image files, folders of them in name order, and tar files.")
    private List<Path> images;

    @Option(names = "--logits", paramLabel = "FILE", description = "Write logits and classes of all images to a JSON file.")
    private Path logits;

    @Option(names = "--output", paramLabel = "FILE",
            description = "Write a line for each image into a file that ends with .csv or .jsonl.")
    private Path file;

    @Option(names = "--features", paramLabel = "FILE", description = "Write what the classifier reads of each image, and "
            + "its logits, to a safetensors file for other programs.")
    private Path features;

    @Option(names = "--top", paramLabel = "N", defaultValue = "5",
            description = "Classes to name, the most probable first (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--tta", paramLabel = "none|mirror", defaultValue = "none",
            description = "mirror: average the logits of each image and its mirror image (default: ${DEFAULT-VALUE}).")
    private Views views;

    @Mixin
    private ClassifierMixin classifier;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        try (Classifier net = classifier.open()) {
            if (features != null) {
                writeFeatures(net);
                return;
            }
            if (file != null) {
                write(net);
                return;
            }
            Predictions found = net.predict(images, views, top);
            if (logits != null && found.damaged().isEmpty()) {
                AtomicFile.write(logits, Console.json(found).getBytes(StandardCharsets.UTF_8));
            }
            output.print(found, () -> found.images().stream().map(PredictCommand::line).collect(Collectors.joining()));
            check(found.damaged().size(), found.images().size(), logits == null ? ""
                    : "; %s was not written".formatted(logits));
        }
    }

    /** What {@code --json} prints of a file. */
    record Written(String output, int images, int damaged, @JsonProperty("images_per_s") double imagesPerS) {
    }

    private void write(Classifier net) {
        if (logits != null) {
            throw UserError.usage("--output and --logits exclude each other: give one of them");
        }
        Throughput t = net.predict(images, views, top, file);
        output.print(new Written(file.toString(), t.images(), t.damaged(), t.imagesPerSecond()),
                () -> String.format(Locale.ROOT, "%s: %s images, %.0f images/s%n", file, Console.count(t.images()),
                        t.imagesPerSecond()));
        check(t.damaged(), t.images(), "; %s says why".formatted(file));
    }

    private void writeFeatures(Classifier net) {
        if (logits != null || file != null || views != Views.NONE) {
            throw UserError.usage("--features excludes --output, --logits and --tta: give it alone");
        }
        Throughput t = net.features(images, features);
        check(t.damaged(), t.images(), "; %s was not written".formatted(features));
        output.print(new Written(features.toString(), t.images(), t.damaged(), t.imagesPerSecond()),
                () -> String.format(Locale.ROOT, "%s: %s images, %.0f images/s%n", features, Console.count(t.images()),
                        t.imagesPerSecond()));
    }

    private static void check(int damaged, int read, String rest) {
        if (damaged > 0) {
            throw UserError.data("%d of %d images could not be read%s", damaged, damaged + read, rest);
        }
    }

    private static String line(Prediction p) {
        return p.file() + ": " + p.top().stream().map(r -> String.format(Locale.ROOT, "%s %.1f %%", r.name(),
                100 * r.probability())).collect(Collectors.joining(", ")) + "\n";
    }
}
