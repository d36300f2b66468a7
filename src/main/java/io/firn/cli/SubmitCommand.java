package io.firn.cli;

import io.firn.cluster.Slurm;
import io.firn.cluster.Submission;
import io.firn.error.UserError;
import io.firn.models.NearNames;
import io.firn.train.RunFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code firn submit}. */
@Command(name = "submit", header = "Runs a firn command on a Slurm cluster, as one job or an array.",
        description = {"", "The job's script and logs go into the run's folder, below slurm. Before the time limit the ranks "
                + "write a checkpoint and end with 75, and the job goes back into the queue; so it does after a crash or a "
                + "lost rank or node. In an array, {} in the command stands for the task's number."},
        sortOptions = false,
        footer = {"", "Examples:",
                "  firn submit --nodes 2 --ranks-per-node 2 --time 4:00:00 --output runs/a train --data PATH --model resnet50",
                "  firn submit --array 0-3%%2 --output runs/seeds train --data PATH --model resnet20 --seed {}",
                "  firn submit --status runs/a", "  firn submit --cancel runs/a"})
final class SubmitCommand implements Runnable {
    private static final Set<String> NOT_HERE = Set.of("submit", "help");

    @Parameters(paramLabel = "CMD", arity = "0..*", description = "A firn command and its options.")
    private List<String> command = new ArrayList<>();

    @Option(names = "--output", paramLabel = "RUN", description = "The run's folder, on a file system that all nodes see "
            + "(default: runs/COMMAND-DATE); in an array, tasks have a folder each below it.")
    private Path output;

    @Option(names = "--nodes", paramLabel = "N", defaultValue = "1", description = "Machines (default: 1).")
    private int nodes;

    @Option(names = "--ranks-per-node", paramLabel = "N", description = "Ranks on each (default: one a GPU, else 1).")
    private Integer ranksPerNode;

    @Option(names = "--gpus-per-node", paramLabel = "N", defaultValue = "0", description = "GPUs on each (default: none).")
    private int gpusPerNode;

    @Option(names = "--cpus-per-rank", paramLabel = "N", defaultValue = "0",
            description = "Processors of each rank, which are its --threads (default: Slurm's).")
    private int cpusPerRank;

    @Option(names = "--time", paramLabel = "LIMIT", description = "Of each start, such as 2:00:00 (default: Slurm's).")
    private String time;

    @Option(names = "--array", paramLabel = "NUMBERS", description = "An array of jobs, such as 0-7, or 0-7%%2 for two at a time.")
    private String array;

    @Option(names = "--stop-before", paramLabel = "SECONDS", defaultValue = "120",
            description = "Time before the limit at which ranks are told to write a checkpoint (default: 120).")
    private int stopSeconds;

    @Option(names = "--max-restarts", paramLabel = "N", defaultValue = "100",
            description = "How often the job may go back into the queue (default: 100).")
    private int maxRestarts;

    @Option(names = "--sbatch", paramLabel = "OPTION", description = "Another option of sbatch, such as --partition=gpu; may be repeated.")
    private List<String> more = new ArrayList<>();

    @Option(names = "--firn", paramLabel = "FILE", description = "The program on the nodes (default: this one; with --stage, its "
            + "path in the archive, by default firn).")
    private String program;

    @Option(names = "--stage", paramLabel = "ARCHIVE",
            description = "A tar file with program and Java, unpacked on each node first: for nodes that have no Java.")
    private Path archive;

    @Option(names = "--dry-run", description = "Print the script, and submit nothing.")
    private boolean dryRun;

    @Option(names = "--status", paramLabel = "RUN|JOB", description = "Tell where a job stands.")
    private String status;

    @Option(names = "--cancel", paramLabel = "RUN|JOB", description = "End a job for good.")
    private String cancel;

    @Mixin
    private OutputMixin print;

    private CommandSpec spec;

    /** What follows the command's name is the command's own, options included. */
    @Spec
    void spec(CommandSpec s) {
        spec = s;
        s.parser().stopAtPositional(true);
    }

    @Override
    public void run() {
        if (status != null || cancel != null) {
            if (!command.isEmpty() || status != null && cancel != null) {
                throw UserError.usage("--status and --cancel stand alone");
            }
            if (cancel != null) {
                Slurm slurm = Slurm.here();
                List<Slurm.Job> queued = slurm.status(cancel);
                slurm.cancel(cancel);
                // scancel itself takes any number.
                print.print(Map.of("cancelled", queued), () -> queued.isEmpty()
                        ? cancel + " is not in the queue: it has ended, or Slurm does not know it\n" : "cancelled " + cancel + "\n");
            } else {
                List<Slurm.Job> jobs = Slurm.here().status(status);
                print.print(jobs, () -> text(jobs));
            }
            return;
        }
        Submission s = submission();
        if (dryRun) {
            String script = Slurm.script(s);
            print.print(Map.of("script", script), () -> script);
            return;
        }
        String job = Slurm.here().submit(s);
        print.print(Map.of("job", job, "run", s.run().toString()),
                () -> "job %s; results in %s, logs in %2$s/slurm; firn submit --status %2$s%n".formatted(job, s.run()));
    }

    private Submission submission() {
        if (!command.isEmpty()) {
            Set<String> known = spec.parent().subcommands().keySet();
            String name = command.getFirst();
            if (!known.contains(name) || NOT_HERE.contains(name)) {
                List<String> near = NearNames.of(name, known);
                throw UserError.usage("there is no command '%s' to submit%s", name,
                        near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?");
            }
        }
        if (archive != null && !Files.isReadable(archive)) {
            throw UserError.data("--stage %s: no such file", archive);
        }
        Path run = output != null ? output
                : RunFolder.choose(Path.of("runs"), command.isEmpty() ? "" : command.getFirst(), LocalDateTime.now());
        return new Submission(command, run.toAbsolutePath().normalize(),
                program != null ? program : archive != null ? "firn" : Launcher.path().toString(),
                Optional.ofNullable(archive).map(a -> a.toAbsolutePath().normalize()), nodes,
                ranksPerNode != null ? ranksPerNode : Math.max(1, gpusPerNode), gpusPerNode, cpusPerRank,
                Optional.ofNullable(time), Optional.ofNullable(array), stopSeconds, maxRestarts, more);
    }

    private static String text(List<Slurm.Job> jobs) {
        if (jobs.isEmpty()) {
            return "not in the queue: it has ended\n";
        }
        var table = new Console.Table("job", "name", "state", ">time", "nodes", "reason");
        jobs.forEach(j -> table.row(j.job(), j.name(), j.state(), j.time(), j.nodes(), j.reason()));
        return table.toString();
    }
}
