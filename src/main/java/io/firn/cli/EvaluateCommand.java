package io.firn.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.train.Classifier;
import io.firn.train.Evaluation;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn evaluate}. */
@Command(name = "evaluate", header = "Measures a trained network on a data set: loss, top-1 and top-5.",
        footer = {"", "Example: firn evaluate --init runs/first --data fashion-mnist"})
final class EvaluateCommand implements Runnable {
    @Option(names = "--data", paramLabel = "PATH", required = true,
            description = "As for train. The validation part of a data set that has one, else all of it.")
    private String data;

    @Mixin
    private ClassifierMixin classifier;

    @Mixin
    private OutputMixin output;

    /** What {@code --json} prints. */
    record Evaluated(String model, long images, double loss, double top1, double top5,
                     @JsonProperty("images_per_s") double imagesPerS) {
    }

    @Override
    public void run() {
        try (Classifier net = classifier.open()) {
            Evaluation e = net.evaluate(data);
            output.print(new Evaluated(net.card().model(), e.images(), e.loss(), e.top1(), e.top5(), e.imagesPerSecond()),
                    () -> String.format(Locale.ROOT, "%s on %s images: loss %.4f, top-1 %.2f %%, top-5 %.2f %%, %.0f "
                                    + "images/s%n", net.card().model(), Console.count(e.images()), e.loss(), 100 * e.top1(),
                            100 * e.top5(), e.imagesPerSecond()));
        }
    }
}
