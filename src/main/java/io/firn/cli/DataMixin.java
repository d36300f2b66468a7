package io.firn.cli;

import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Splits;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The data set that a command of {@code firn data} reads. */
final class DataMixin {
    @Parameters(paramLabel = "NAME_OR_PATH",
            description = "A built-in name (fashion-mnist), a folder of class folders, tar shards, a CSV or TSV list, or IDX or CIFAR "
                    + "files.")
    private String data;

    @Option(names = "--val", paramLabel = "PATH", description = "A set to validate with, under the same classes.")
    private String validation;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Opens the set and reads all of it, with progress on standard error. */
    <T> T read(BiFunction<Splits, IntConsumer, T> reader) {
        var err = command.commandLine().getErr();
        Splits found = Datasets.open(data, err::println);
        Splits splits = validation == null ? found
                : new Splits(found.train(), Optional.of(Datasets.validation(validation, found.train().classes(), err::println)));
        int images = splits.train().size() + splits.validation().map(Dataset::size).orElse(0);
        try (ImageProgress progress = new ImageProgress(images, err)) {
            return reader.apply(splits, progress::done);
        }
    }
}
