package io.firn.cluster;

import io.firn.error.UserError;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A process's place among the ranks of a job that others have started, as its environment tells.
 *
 * @param rank  from 0
 * @param ranks how many
 * @param host  of rank 0
 * @param port  where rank 0 awaits the others
 * @param local this process's number among those of its machine
 * @param job   what the job's processes have in common, so that no other job's are taken for them
 */
public record Place(int rank, int ranks, int local, String host, int port, String job) {
    private static final Pattern FIRST_HOST = Pattern.compile("([^\\[,]+)(?:\\[(\\d+)[^]]*])?([^,]*).*");

    public Place {
        if (ranks < 1 || rank < 0 || rank >= ranks || port < 1 || port > 65535) {
            throw UserError.usage("rank %d of %d at port %d: the environment's numbers make no sense", rank, ranks, port);
        }
    }

    /**
     * What torchrun ({@code RANK}, {@code WORLD_SIZE}, {@code MASTER_ADDR}, {@code MASTER_PORT}) or Slurm's srun
     * ({@code SLURM_PROCID}, {@code SLURM_STEP_NUM_TASKS}, …) says; empty for a process on its own.
     *
     * @throws UserError (usage) where it makes no sense
     */
    public static Optional<Place> of(Map<String, String> env) {
        if (env.containsKey("RANK") && env.containsKey("WORLD_SIZE")) {
            int ranks = number(env, "WORLD_SIZE");
            // torchrun's agent may keep the port for itself, and then tells so.
            int own = Boolean.parseBoolean(env.getOrDefault("TORCHELASTIC_USE_AGENT_STORE", "")) ? 1 : 0;
            return ranks == 1 ? Optional.empty() : Optional.of(new Place(number(env, "RANK"), ranks,
                    local(env, "LOCAL_RANK"), needed(env, "MASTER_ADDR"), number(env, "MASTER_PORT") + own,
                    "%s.%s".formatted(env.getOrDefault("TORCHELASTIC_RUN_ID", ""),
                            env.getOrDefault("TORCHELASTIC_RESTART_COUNT", ""))));
        }
        // A batch script has SLURM_PROCID too, but only what srun starts is one of several.
        if (!env.containsKey("SLURM_STEP_NUM_TASKS") || number(env, "SLURM_STEP_NUM_TASKS") == 1) {
            return Optional.empty();
        }
        String job = needed(env, "SLURM_JOB_ID");
        String host = env.containsKey("MASTER_ADDR") ? env.get("MASTER_ADDR") : firstHost(needed(env, "SLURM_STEP_NODELIST"));
        int port = env.containsKey("MASTER_PORT") ? number(env, "MASTER_PORT")
                : 20_000 + Math.floorMod(job.hashCode(), 10_000);
        return Optional.of(new Place(number(env, "SLURM_PROCID"), number(env, "SLURM_STEP_NUM_TASKS"), local(env, "SLURM_LOCALID"),
                host, port,
                "%s.%s.%s".formatted(job, env.getOrDefault("SLURM_STEP_ID", ""), env.getOrDefault("SLURM_RESTART_COUNT", "0"))));
    }

    /** {@code node[03-05,7],other} → {@code node03}. */
    static String firstHost(String list) {
        Matcher m = FIRST_HOST.matcher(list);
        if (!m.matches()) {
            throw UserError.usage("SLURM_STEP_NODELIST=%s: no list of hosts", list);
        }
        return m.group(1) + (m.group(2) == null ? "" : m.group(2) + m.group(3));
    }

    private static String needed(Map<String, String> env, String name) {
        String value = env.get(name);
        if (value == null || value.isBlank()) {
            throw UserError.usage("%s is not set: this process is one of several ranks, but cannot find rank 0", name);
        }
        return value;
    }

    private static int local(Map<String, String> env, String name) {
        return env.containsKey(name) ? number(env, name) : 0;
    }

    private static int number(Map<String, String> env, String name) {
        try {
            return Integer.parseInt(needed(env, name));
        } catch (NumberFormatException e) {
            throw UserError.usage("%s=%s: no number", name, env.get(name));
        }
    }
}
