package io.firn.cli;

import java.io.PrintWriter;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How a command's result comes out: as text for people, or with {@code --json} as one document. */
final class OutputMixin {
    @Option(names = "--json", description = "Print one JSON document on standard output, and nothing else there.")
    private boolean json;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** Prints the result, in one go. */
    void print(Object document, Supplier<String> text) {
        PrintWriter out = command.commandLine().getOut();
        out.print(json ? Console.json(document) + "\n" : text.get());
        out.flush();
    }

    /** A line about what happens, on standard error. */
    void say(String line) {
        command.commandLine().getErr().println(line);
    }
}
