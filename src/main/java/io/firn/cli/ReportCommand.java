package io.firn.cli;

import io.firn.Firn;
import io.firn.report.Report;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code firn report}. */
@Command(name = "report", header = "Makes one self-contained HTML page from one or more run folders.",
        description = {"", "Curves, confusion, classes, reliability, mistakes as pictures, the plan's memory and launches, "
                + "environment and command. What a folder lacks is left out and named."},
        footer = {"", "Examples:", "  firn report runs/first", "  firn report runs/first runs/second --output both.html"})
final class ReportCommand implements Runnable {
    @Parameters(paramLabel = "RUN", arity = "1..*", description = "Folders of runs.")
    private List<Path> runs;

    @Option(names = "--output", paramLabel = "FILE",
            description = "The page (default: report.html, in the run's folder or for several runs here).")
    private Path output;

    @Mixin
    private OutputMixin print;

    /** What {@code --json} prints. */
    record Written(String report, List<Path> runs, List<String> remarks) {
    }

    @Override
    public void run() {
        Path file = output != null ? output : runs.size() == 1 ? runs.getFirst().resolve("report.html")
                : Path.of("report.html");
        Report report = Firn.report(runs, file);
        print.print(new Written(file.toString(), runs, report.remarks()), () -> "report in " + file + "\n"
                + String.join("", report.remarks().stream().map(r -> r + "\n").toList()));
    }
}
