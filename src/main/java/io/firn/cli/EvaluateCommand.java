package io.firn.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.report.Confusion;
import io.firn.train.Assessment;
import io.firn.train.Classifier;
import io.firn.train.Evaluation;
import io.firn.train.Views;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn evaluate}. */
@Command(name = "evaluate", header = "Measures a trained network on a data set: loss, top-1 and top-5, classes, calibration.",
        footer = {"", "Example: firn evaluate --init runs/first --data fashion-mnist --confusion confusion.csv"})
final class EvaluateCommand implements Runnable {
    /** More classes than that are listed by --json only. */
    private static final int ROWS = 30;

    @Option(names = "--data", paramLabel = "PATH", required = true,
            description = "As for train. The validation part of a data set that has one, else all of it.")
    private String data;

    @Option(names = "--confusion", paramLabel = "FILE",
            description = "Write a CSV file of how many images of each label (rows) were taken for each class (columns).")
    private Path confusion;

    @Option(names = "--tta", paramLabel = "none|mirror", defaultValue = "none",
            description = "mirror: average the logits of each image and its mirror image (default: ${DEFAULT-VALUE}).")
    private Views views;

    @Mixin
    private ClassifierMixin classifier;

    @Mixin
    private OutputMixin output;

    /** What {@code --json} prints; precision and recall are null where nothing is divided. */
    record Evaluated(String model, long images, double loss, double top1, double top5,
                     @JsonProperty("images_per_s") double imagesPerS, double ece, List<OfClass> perClass) {
    }

    /** @param images of the class */
    record OfClass(@JsonProperty("class") String name, int images, Double precision, Double recall) {
    }

    @Override
    public void run() {
        try (Classifier net = classifier.open()) {
            Assessment a = net.assess(data, views);
            if (confusion != null) {
                a.writeConfusion(confusion);
            }
            Evaluation e = a.evaluation();
            List<OfClass> classes = classes(a);
            output.print(new Evaluated(net.card().model(), e.images(), e.loss(), e.top1(), e.top5(), e.imagesPerSecond(),
                    a.calibration().error(), classes), () -> text(net.card().model(), e, a.calibration().error(), classes));
        }
    }

    private static List<OfClass> classes(Assessment a) {
        Confusion c = a.confusion();
        return IntStream.range(0, c.classes()).mapToObj(i -> new OfClass(a.classes().get(i), c.support()[i],
                finite(c.precision(i)), finite(c.recall(i)))).toList();
    }

    private static Double finite(double share) {
        return Double.isFinite(share) ? share : null;
    }

    private static String text(String model, Evaluation e, double ece, List<OfClass> classes) {
        String head = String.format(Locale.ROOT, "%s on %s images: loss %.4f, top-1 %.2f %%, top-5 %.2f %%, calibration error "
                        + "%.2f %%, %.0f images/s%n%n", model, Console.count(e.images()), e.loss(), 100 * e.top1(),
                100 * e.top5(), 100 * ece, e.imagesPerSecond());
        var table = new Console.Table("class", ">images", ">precision", ">recall");
        boolean few = classes.size() <= ROWS;
        classes.stream().filter(c -> c.images() > 0 || few)
                .sorted(few ? (_, _) -> 0 : Comparator.comparing(OfClass::recall)).limit(ROWS)
                .forEach(c -> table.row(c.name(), Console.count(c.images()), percent(c.precision()), percent(c.recall())));
        return head + table + (few ? "" : "the %d of %s classes with the lowest recall; --json lists all%n".formatted(ROWS,
                Console.count(classes.size())));
    }

    private static String percent(Double share) {
        return share == null ? "" : String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }
}
