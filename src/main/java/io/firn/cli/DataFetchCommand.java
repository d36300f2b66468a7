package io.firn.cli;

import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.FashionMnist;
import io.firn.data.Splits;
import io.firn.error.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code firn data fetch}. */
@Command(name = "fetch", header = "Fetches a built-in data set where it is not here yet, and checks its content.",
        footer = {"", "Example: firn data fetch fashion-mnist"})
final class DataFetchCommand implements Runnable {
    @Parameters(paramLabel = "NAME", description = "A built-in name: fashion-mnist.")
    private String name;

    @Mixin
    private OutputMixin output;

    /** What {@code --json} prints. */
    record Fetched(String name, String folder, int trainImages, int validationImages, String fingerprint) {
    }

    @Override
    public void run() {
        if (!Datasets.BUILT_IN.contains(name)) {
            throw UserError.usage("'%s' is no data set that Firn can fetch; it knows %s", name,
                    String.join(", ", Datasets.BUILT_IN));
        }
        Splits splits = Datasets.open(name, output::say);
        Fetched fetched = new Fetched(name, FashionMnist.locate().orElseThrow().toString(), splits.train().size(),
                splits.validation().map(Dataset::size).orElse(0), splits.train().fingerprint());
        output.print(fetched, () -> "%s: %s images to train on and %s to validate with, checksums verified, in %s%n"
                .formatted(name, Console.count(fetched.trainImages), Console.count(fetched.validationImages), fetched.folder));
    }
}
