package io.firn.cli;

import io.firn.train.Devices;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The {@code firn} command. It alone decides how the process ends: commands return normally or throw, and the one
 * handler here turns what they throw into one line and an exit code (see {@link Failure}).
 */
@Command(name = "firn", versionProvider = Main.Version.class,
        mixinStandardHelpOptions = true, scope = ScopeType.INHERIT, usageHelpAutoWidth = true,
        header = "Trains, fine-tunes and scales ResNet and EfficientNet.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {InfoCommand.class, ModelsCommand.class, SummaryCommand.class, PlanCommand.class, DataCommand.class,
                TrainCommand.class, AdviseCommand.class, EvaluateCommand.class, PredictCommand.class, ConvertCommand.class,
                BenchCommand.class, SelftestCommand.class, ReportCommand.class, SubmitCommand.class, HelpCommand.class},
        footer = {"", "Example: firn train --data fashion-mnist --model resnet20 --epochs 2"})
public final class Main implements Runnable {
    @Option(names = "--debug", description = "Print the stack trace of a failure.", scope = ScopeType.INHERIT)
    private boolean debug;

    @Spec
    private CommandSpec spec;

    private final Devices devices;
    private final PrintStream err;

    Main(Devices devices, PrintStream err) {
        this.devices = devices;
        this.err = err;
    }

    /** Standard error, for what draws over itself. */
    PrintStream err() {
        return err;
    }

    /** Where commands get the device that they compute on. */
    Devices devices() {
        return devices;
    }

    public static void main(String[] args) {
        StandardStreams.restoreStandardError();
        var output = StandardStreams.output();
        PrintStream out = output.printer();
        System.setOut(out);
        int code = run(args, out, System.err);
        if (code == 0) {
            try {
                out.flush();
                output.check();
            } catch (RuntimeException e) {
                code = report(e, args, System.err);
            }
        }
        System.exit(code);
    }

    /** Runs one command line and returns the exit code; what it prints goes to the given streams. */
    static int run(String[] args, PrintStream out, PrintStream err) {
        return run(args, out, err, Devices::local);
    }

    static int run(String[] args, PrintStream out, PrintStream err, Devices devices) {
        CommandLine line = new CommandLine(new Main(devices, err))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setOut(new PrintWriter(out, true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(err, true, StandardCharsets.UTF_8))
                .setExecutionExceptionHandler((e, _, _) -> report(e, args, err))
                .setParameterExceptionHandler((e, a) -> report(e, a, err));
        try {
            return line.execute(args);
        } catch (Throwable t) {
            // picocli hands only exceptions to its handler, not errors such as OutOfMemoryError.
            return report(t, args, err);
        } finally {
            line.getOut().flush();
            line.getErr().flush();
        }
    }

    private static int report(Throwable t, String[] args, PrintStream err) {
        Failure failure = Failure.of(t);
        if (Arrays.asList(args).contains("--debug")) {
            t.printStackTrace(err);
        }
        err.println("firn: " + failure.line());
        return failure.exitCode();
    }

    /** Without a command: what there is to choose from. */
    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    /** The version that the build wrote into the jar's manifest. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[]{"firn " + number()};
        }

        static String number() {
            String version = Main.class.getPackage().getImplementationVersion();
            return version == null ? "(not packaged)" : version;
        }
    }
}
