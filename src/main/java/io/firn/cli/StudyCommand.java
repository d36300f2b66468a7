package io.firn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code firn study}: the group of the commands below it. */
@Command(name = "study", header = "Runs the experiments behind ResNet and EfficientNet.", synopsisSubcommandLabel = "COMMAND",
        subcommands = {DegradationCommand.class, ScalingCommand.class},
        footer = {"", "Example: firn study degradation --data fashion-mnist --depths 20,56 --seeds 3"})
final class StudyCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    /** Without a command: what there is to choose from. */
    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
