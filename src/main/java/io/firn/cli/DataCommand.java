package io.firn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code firn data}: the group of the commands below it. */
@Command(name = "data", header = "Inspects, verifies and fetches data sets.", synopsisSubcommandLabel = "COMMAND",
        subcommands = {DataInspectCommand.class, DataVerifyCommand.class, DataFetchCommand.class},
        footer = {"", "Example: firn data inspect fashion-mnist"})
final class DataCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    /** Without a command: what there is to choose from. */
    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
