package io.firn.cluster;

import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A command of Firn to run on a Slurm cluster.
 *
 * @param command      its words, without {@code firn}
 * @param run          the folder of the run, of the job's script and of its log; in an array a folder a task below it
 * @param program      what the nodes run in the place of {@code firn}
 * @param archive      that is unpacked on each node first, and holds the program; for nodes without Java
 * @param nodes        machines
 * @param ranksPerNode processes on each
 * @param gpusPerNode  0 for none
 * @param cpusPerRank  processors of each rank; 0 leaves it to Slurm
 * @param time         limit in Slurm's words, such as {@code 2:00:00}; empty leaves it to Slurm
 * @param array        numbers of an array's tasks in Slurm's words, such as {@code 0-7%2}; empty for a single job
 * @param stopSeconds  before the limit at which ranks are told to write a checkpoint and end
 * @param maxRestarts  how often the job goes on by itself
 * @param more         further options of sbatch, as they are
 */
public record Submission(List<String> command, Path run, String program, Optional<Path> archive, int nodes, int ranksPerNode,
                         int gpusPerNode, int cpusPerRank, Optional<String> time, Optional<String> array, int stopSeconds,
                         int maxRestarts, List<String> more) {
    /** Stands for the number of an array's task. */
    public static final String NUMBER = "{}";
    private static final Pattern TIME = Pattern.compile("(?:(\\d{1,6})-)?(\\d{1,9})(?::(\\d{1,9}))?(?::(\\d{1,9}))?");
    private static final Pattern ARRAY = Pattern.compile("\\d+(-\\d+(:\\d+)?)?(,\\d+(-\\d+(:\\d+)?)?)*(%\\d+)?");
    private static final List<String> GOING_ON = List.of("train", "finetune");
    /** The command whose processes share a batch. */
    private static final String RANKED = "train";

    public Submission {
        command = List.copyOf(command);
        more = List.copyOf(more);
        if (command.isEmpty()) {
            throw UserError.usage("what is to run? For example: firn submit --nodes 2 train --data PATH --model resnet50");
        }
        atLeast("nodes", nodes, 1);
        atLeast("ranks-per-node", ranksPerNode, 1);
        atLeast("gpus-per-node", gpusPerNode, 0);
        atLeast("cpus-per-rank", cpusPerRank, 0);
        atLeast("stop-before", stopSeconds, 1);
        atLeast("max-restarts", maxRestarts, 0);
        checkTime(time, stopSeconds);
        array.filter(a -> !ARRAY.matcher(a).matches()).ifPresent(a -> {
            throw UserError.usage("--array %s: no numbers in Slurm's words, such as 0-7 or 0-7%%2", a);
        });
        if (array.isEmpty() && command.stream().anyMatch(w -> w.contains(NUMBER))) {
            throw UserError.usage("%s stands for an array's number, but there is no --array", NUMBER);
        }
        for (String taken : List.of("--output", "--resume")) {
            if (command.stream().anyMatch(w -> w.equals(taken) || w.startsWith(taken + "="))) {
                throw UserError.usage("%s belongs before the command, to firn submit: it is given to each start of the job", taken);
            }
        }
        if (!command.getFirst().equals(RANKED) && nodes * ranksPerNode > 1) {
            throw UserError.usage("firn %s runs in one process: leave out --nodes and --ranks-per-node", command.getFirst());
        }
    }

    /** Refuses a limit that Slurm would not understand, or that ends before anything could be done. */
    static void checkTime(Optional<String> time, int stopSeconds) {
        time.ifPresent(t -> {
            if (seconds(t) <= stopSeconds) {
                throw UserError.usage("--time %s: ranks are told to stop %d s before, so nothing would be done; give more", t,
                        stopSeconds);
            }
        });
    }

    /** Minutes, {@code m:s}, {@code h:m:s}, {@code d-h}, {@code d-h:m} or {@code d-h:m:s}. */
    private static long seconds(String time) {
        Matcher m = TIME.matcher(time);
        if (!m.matches()) {
            throw UserError.usage("--time %s: no time in Slurm's words, such as 30 (minutes), 2:00:00 or 1-12:00:00", time);
        }
        long[] n = IntStream.rangeClosed(1, 4).mapToLong(i -> m.group(i) == null ? 0 : Long.parseLong(m.group(i))).toArray();
        if (m.group(1) != null) {
            return ((n[0] * 24 + n[1]) * 60 + n[2]) * 60 + n[3];
        }
        return m.group(4) == null ? n[1] * 60 + n[2] : (n[1] * 60 + n[2]) * 60 + n[3];
    }

    static void atLeast(String option, int value, int least) {
        if (value < least) {
            throw UserError.usage("--%s %d: at least %d", option, value, least);
        }
    }

    /** Whether a further start goes on where the last one stopped. */
    private static boolean goesOn(List<String> command) {
        return GOING_ON.contains(command.getFirst());
    }

    boolean goesOn() {
        return goesOn(command);
    }

    int ranks() {
        return nodes * ranksPerNode;
    }

    /** Those of the cluster that the job may run in; empty where only the default one. */
    List<String> partitions() {
        return values("--partition", "-p").stream().flatMap(v -> Stream.of(v.split(","))).toList();
    }

    /** Whether it goes to other clusters than the one that is asked here. */
    boolean choosesCluster() {
        return !values("--clusters", "--cluster", "-M").isEmpty();
    }

    /** What sbatch's further options give for one that has several names. */
    private List<String> values(String... names) {
        List<String> values = new ArrayList<>();
        for (String option : more) {
            for (String name : names) {
                if (option.startsWith(name)) {
                    values.add(option.substring(name.length()).replaceFirst("^[= ]+", ""));
                }
            }
        }
        return values;
    }
}
