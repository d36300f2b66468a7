package io.firn.cli;

import io.firn.data.ContactSheet;
import io.firn.data.DamagedImage;
import io.firn.data.Inspection;
import io.firn.files.AtomicFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn data inspect}. */
@Command(name = "inspect", header = "Counts classes, sizes, damaged images, duplicates and leaks into validation.",
        footer = {"", "Example: firn data inspect photos/train --val photos/val --sheet photos.png"})
final class DataInspectCommand implements Runnable {
    private static final int MOST_LINES = 20;

    @Mixin
    private DataMixin data;

    @Option(names = "--sheet", paramLabel = "FILE",
            description = "Write a PNG with a row of small images for each class (up to 60), of training images.")
    private Path sheet;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        int workers = Runtime.getRuntime().availableProcessors();
        var report = data.read((splits, progress) -> {
            if (sheet != null) {
                AtomicFile.write(sheet, ContactSheet.png(splits.train()));
            }
            return Inspection.inspect(splits, workers, progress);
        });
        output.print(report, () -> text(report));
    }

    private static String text(Inspection.Report r) {
        StringBuilder text = new StringBuilder();
        text.append("%s: %d classes, %s, fingerprint %s%n%n".formatted(r.name(), r.classes().size(),
                r.channels() == 1 ? "gray" : "colour", r.fingerprint()));
        text.append(parts(r)).append('\n').append(classes(r));
        list(text, "damaged (training skips them):", r.train().damaged(), DamagedImage::getMessage);
        r.validation().ifPresent(v -> list(text, "damaged in validation:", v.damaged(), DamagedImage::getMessage));
        list(text, "in validation and in training too:", r.leaks(), leak -> "%s = %s%s".formatted(leak.validation(),
                leak.training(), leak.sameLabel() ? "" : ", under another class"));
        return text.toString();
    }

    private static Console.Table parts(Inspection.Report r) {
        var table = new Console.Table("part", ">images", ">height", ">width", ">gray", ">damaged", ">duplicates");
        row(table, r.train());
        r.validation().ifPresent(v -> row(table, v));
        return table;
    }

    private static void row(Console.Table table, Inspection.Part p) {
        table.row(p.name(), Console.count(p.images()), range(p.height()), range(p.width()), Console.count(p.grayImages()),
                Console.count(p.damaged().size()), Console.count(p.duplicates()));
    }

    /** "28", or the smallest, middle and largest. */
    private static String range(Optional<Inspection.Range> range) {
        return range.map(r -> r.min() == r.max() ? String.valueOf(r.min())
                : "%d to %d (median %d)".formatted(r.min(), r.max(), r.median())).orElse("");
    }

    private static Console.Table classes(Inspection.Report r) {
        var table = r.validation().isPresent() ? new Console.Table("class", ">train", ">validation")
                : new Console.Table("class", ">train");
        for (int i = 0; i < r.classes().size(); i++) {
            String name = r.classes().get(i);
            String train = Console.count(r.train().perClass().get(i));
            if (r.validation().isPresent()) {
                table.row(name, train, Console.count(r.validation().get().perClass().get(i)));
            } else {
                table.row(name, train);
            }
        }
        return table;
    }

    private static <T> void list(StringBuilder text, String title, List<T> items, Function<T, String> line) {
        if (items.isEmpty()) {
            return;
        }
        text.append('\n').append(title).append('\n');
        items.stream().limit(MOST_LINES).forEach(item -> text.append("  ").append(line.apply(item)).append('\n'));
        if (items.size() > MOST_LINES) {
            text.append("  and %s more (--json lists all)%n".formatted(Console.count(items.size() - MOST_LINES)));
        }
    }
}
