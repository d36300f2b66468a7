package io.firn.cli;

import io.firn.cluster.Slurm;
import io.firn.cluster.SlurmSite;
import io.firn.error.UserError;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** A study's runs as jobs of a Slurm cluster; the options are called as {@code firn submit}'s. */
final class SlurmMixin {
    private static final Duration POLL = Duration.ofSeconds(5);

    @Option(names = "--slurm", description = "Run on a Slurm cluster: each run is a job, those that start together are an array. "
            + "The study's folder must be where all nodes see it.")
    private boolean isAsked;

    @Option(names = "--partition", paramLabel = "NAME", description = "With --slurm: the partition (default: Slurm's).")
    private String partition;

    @Option(names = "--cpus-per-run", paramLabel = "N", description = "With --slurm: processors of each run, which are its "
            + "threads (default: 1).")
    private Integer cpus;

    @Option(names = "--time", paramLabel = "LIMIT", description = "With --slurm: of each start of a run, such as 2:00:00 (default: "
            + "Slurm's). Two minutes before, the run stops with a checkpoint and is submitted again.")
    private String time;

    @Option(names = "--sbatch", paramLabel = "OPTION",
            description = "With --slurm: another option of sbatch, such as --account=us; may be repeated.")
    private List<String> more = new ArrayList<>();

    @Option(names = "--firn", paramLabel = "FILE", description = "With --slurm: the program on the nodes (default: this one).")
    private String program;

    /**
     * Where runs go, if that was asked for.
     *
     * @param jobs runs at a time; 0 for as many as there is room for
     * @throws UserError (usage) where there are options for it without
     */
    Optional<SlurmSite> site(int jobs, PrintStream log) {
        if (!isAsked) {
            if (partition != null || cpus != null || time != null || !more.isEmpty() || program != null) {
                throw UserError.usage("--partition, --cpus-per-run, --time, --sbatch and --firn are for --slurm: add it");
            }
            return Optional.empty();
        }
        return Optional.of(new SlurmSite(Slurm.here(), program != null ? program : Launcher.path().toString(),
                Optional.ofNullable(partition), jobs, cpus == null ? 1 : cpus, Optional.ofNullable(time), more, POLL, log));
    }
}
