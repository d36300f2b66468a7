package io.firn.cli;

import io.firn.models.Summary;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code firn summary}. */
@Command(name = "summary", header = "Shows a model layer by layer: name, op, output, parameters, multiply-adds.",
        footer = {"", "Example: firn summary efficientnet_b0 --classes 10 --resolution 32"})
final class SummaryCommand implements Runnable {
    @Parameters(paramLabel = "MODEL", description = "A name of 'firn models'.")
    private String model;

    @Option(names = "--batch", paramLabel = "N", defaultValue = "1",
            description = "Images in a batch, as the shapes show it (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Mixin
    private NetMixin net;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        Summary summary = Summary.of(net.build(model, batch));
        output.print(summary, () -> text(summary));
    }

    private static String text(Summary s) {
        var table = new Console.Table("name", "op", ">output", ">parameters", ">multiply-adds");
        for (Summary.Layer l : s.layers()) {
            table.row(l.name(), l.op(), shape(l.output()), countOrNothing(l.parameters()), countOrNothing(l.multiplyAdds()));
        }
        table.row("total", "", "", Console.count(s.parameters()), Console.count(s.multiplyAdds()));
        return "%s: %d classes, %s in batches of %d; multiply-adds of one image%n%n".formatted(s.model(), s.classes(),
                shape(List.of(s.channels(), s.resolution(), s.resolution())), s.batch()) + table;
    }

    private static String shape(List<Integer> dims) {
        return dims.stream().map(String::valueOf).collect(Collectors.joining("x"));
    }

    private static String countOrNothing(long n) {
        return n == 0 ? "" : Console.count(n);
    }
}
