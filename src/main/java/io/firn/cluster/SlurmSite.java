package io.firn.cluster;

import io.firn.error.UserError;
import io.firn.study.Site;
import io.firn.study.Slots;
import io.firn.study.Training;
import io.firn.study.schedule.Device;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.Pool;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A Slurm cluster as the place of a study's runs, each a job of one process.
 *
 * @param program    what the nodes run in the place of {@code firn}
 * @param partition  of the cluster; empty for its default
 * @param jobs       runs at a time; 0 for as many as the partition's processors allow
 * @param cpusPerRun processors of each run
 * @param time       limit of each start in Slurm's words; empty leaves it to Slurm
 * @param more       further options of sbatch, as they are
 * @param poll       how often the queue is asked
 * @param log        where remarks go
 */
public record SlurmSite(Slurm slurm, String program, Optional<String> partition, int jobs, int cpusPerRun, Optional<String> time,
                        List<String> more, Duration poll, PrintStream log) implements Site {
    public SlurmSite {
        more = List.copyOf(more);
        Submission.atLeast("jobs", jobs, 0);
        Submission.atLeast("cpus-per-run", cpusPerRun, 1);
        Submission.checkTime(time, ArrayScript.STOP_SECONDS);
    }

    @Override
    public Slots slots(int runs) {
        List<Device> all = devices(runs);
        Pool largest = all.stream().map(Device::pool).max(Comparator.comparingLong(Pool::memory)).orElseThrow();
        return new Slots(all.size(), cpusPerRun, largest.memory(), "the most that a node of Slurm's has is");
    }

    @Override
    public Executor open(Slots slots, Path study, List<Training> trainings) {
        return new SlurmExecutor(this, devices(slots.count()), study.resolve("slurm"), trainings);
    }

    /**
     * As many places for runs as the partition's nodes that are up have processors for, at most {@code most}: the nodes with
     * the most memory first, one after the other. Slurm decides where each run really goes.
     */
    private List<Device> devices(int most) {
        List<Slurm.Node> nodes = slurm.nodes();
        List<Slurm.Node> own = nodes.stream().filter(n -> partition.map(n.partition()::equals).orElse(n.isDefault())).toList();
        if (own.isEmpty()) {
            throw UserError.usage("%s; give --partition one of %s", partition.map(p -> "Slurm has no partition " + p)
                    .orElse("Slurm has no default partition"), String.join(", ", nodes.stream().map(Slurm.Node::partition)
                    .distinct().toList()));
        }
        Map<String, Slurm.Node> up = new LinkedHashMap<>();
        own.stream().filter(n -> n.isUp() && n.cpus() >= cpusPerRun).sorted(Comparator.comparingLong(Slurm.Node::memory).reversed())
                .forEach(n -> up.putIfAbsent(n.name(), n));
        if (up.isEmpty()) {
            throw UserError.other("partition %s has no node that is up and has %d processors: see sinfo", own.getFirst().partition(),
                    cpusPerRun);
        }
        long wanted = jobs == 0 ? most : Math.min(most, jobs);
        List<Device> devices = new ArrayList<>();
        for (int i = 0; devices.size() < wanted; i++) {
            int before = devices.size();
            for (Slurm.Node n : up.values()) {
                if ((i + 1) * cpusPerRun <= n.cpus() && devices.size() < wanted) {
                    devices.add(new Device(n.name() + "." + i, 1, new Pool(n.name(), n.memory())));
                }
            }
            if (devices.size() == before) {
                break;
            }
        }
        return devices;
    }
}
