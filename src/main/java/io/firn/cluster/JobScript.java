package io.firn.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The batch script of a {@link Submission}. Slurm starts the ranks, and tells them before the time limit to end with a
 * checkpoint; the script sends the job back into the queue where going on makes sense: after a stop (exit code 75), and
 * after a crash or a lost rank where this start has got as far as a checkpoint, but not after an error that would come
 * again (2 to 5) or a cancellation.
 */
final class JobScript {
    private static final String ON_EACH_NODE = "srun --nodes=$SLURM_JOB_NUM_NODES --ntasks=$SLURM_JOB_NUM_NODES --ntasks-per-node=1";
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

    private JobScript() {
    }

    static String of(Submission s) {
        List<String> lines = new ArrayList<>(List.of("#!/bin/bash"));
        option(lines, "job-name", "firn-" + s.command().getFirst());
        option(lines, "nodes", s.nodes());
        option(lines, "ntasks-per-node", s.ranksPerNode());
        if (s.gpusPerNode() > 0) {
            option(lines, "gres", "gpu:" + s.gpusPerNode());
        }
        if (s.cpusPerRank() > 0) {
            option(lines, "cpus-per-task", s.cpusPerRank());
        }
        s.time().ifPresent(t -> option(lines, "time", t));
        s.array().ifPresent(a -> option(lines, "array", a));
        option(lines, "requeue", null);
        option(lines, "open-mode", "append");
        option(lines, "signal", "TERM@" + s.stopSeconds());
        option(lines, "output", log(s.run().resolve("slurm"), s.array().isPresent() ? "%A_%a.log" : "%j.log"));
        s.more().forEach(m -> lines.add("#SBATCH " + m));
        lines.add("""
                # Written by firn submit. Exit codes: 75 stopped with a checkpoint, 2 to 5 would fail again.
                set -u
                cancelled=
                trap 'cancelled=1' TERM
                echo "start $((${SLURM_RESTART_COUNT:-0} + 1)) on $SLURM_JOB_NODELIST at $(date '+%F %T')"
                export MASTER_ADDR=${MASTER_ADDR:-$(hostname)}
                export MASTER_PORT=${MASTER_PORT:-$((20000 + (SLURM_JOB_ID * 7 + ${SLURM_RESTART_COUNT:-0}) % 10000))}""");
        s.archive().ifPresent(a -> lines.add(staging(a.toString())));
        lines.add("firn=" + (s.archive().isPresent() ? "$stage/" + quoted(s.program()) : quoted(s.program())));
        if (s.goesOn()) {
            lines.add("checkpoint() { stat -c %Y.%i " + folder(s) + "/checkpoint 2>/dev/null; }");
            lines.add("before=$(checkpoint)");
        }
        lines.add("# Once on each node, so that no two processes unpack native libraries at the same time.");
        lines.add("srun --nodes=%d --ntasks=%1$d --ntasks-per-node=1 \"$firn\" info >/dev/null".formatted(s.nodes()));
        lines.add("srun --kill-on-bad-exit=0 --wait=60 \"$firn\" " + words(s) + " &");
        lines.add("""
                step=$!
                wait $step
                code=$?
                # A trapped signal ends a wait before its time.
                while kill -0 $step 2>/dev/null; do wait $step; code=$?; done
                echo "end with code $code at $(date '+%F %T')\"""");
        s.archive().ifPresent(_ -> lines.add("timeout 30 " + ON_EACH_NODE + " rm -rf \"$stage\""));
        lines.add("if [ -z \"$cancelled\" ] && [ \"${SLURM_RESTART_COUNT:-0}\" -lt " + s.maxRestarts() + " ]; then");
        lines.add("  case $code in");
        lines.add("    75) scontrol requeue \"$SLURM_JOB_ID\" ;;");
        lines.add("    0 | 2 | 3 | 4 | 5) ;;");
        if (s.goesOn()) {
            lines.add("    *) [ \"$(checkpoint)\" = \"$before\" ] || scontrol requeue \"$SLURM_JOB_ID\" ;;");
        }
        lines.add("  esac");
        lines.add("fi");
        lines.add("exit $code");
        return String.join("\n", lines) + "\n";
    }

    static void option(List<String> lines, String name, Object value) {
        lines.add("#SBATCH --" + name + (value == null ? "" : "=" + value));
    }

    /** A file as sbatch takes it, which puts numbers in the place of letters after a percent sign. */
    static String log(Path folder, String name) {
        String log = folder.toString().replace("%", "%%") + "/" + name;
        return PLAIN.matcher(log).matches() ? log : '"' + log + '"';
    }

    private static String staging(String archive) {
        return """
                stage=${TMPDIR:-/tmp}/firn-$SLURM_JOB_ID
                %s \\
                  bash -c 'mkdir -p "$1" && tar -xf "$2" -C "$1" --strip-components=1' - "$stage" %s || exit 1""".formatted(ON_EACH_NODE, quoted(archive));
    }

    private static String folder(Submission s) {
        return quoted(s.run() + (s.array().isPresent() ? "/" + Submission.NUMBER : ""));
    }

    private static String words(Submission s) {
        List<String> words = new ArrayList<>(s.command().stream().map(JobScript::quoted).toList());
        if (s.goesOn()) {
            words.add("--output " + folder(s) + " --resume");
            if (s.cpusPerRank() > 0 && !s.command().contains("--threads")) {
                words.add("--threads " + s.cpusPerRank());
            }
        }
        return String.join(" ", words);
    }

    /** As the shell takes it for one word; an array's number is put in by the shell. */
    static String quoted(String word) {
        String[] parts = word.split(Pattern.quote(Submission.NUMBER), -1);
        List<String> quoted = new ArrayList<>();
        for (String p : parts) {
            quoted.add(p.isEmpty() && parts.length > 1 ? p : literal(p));
        }
        return String.join("\"$SLURM_ARRAY_TASK_ID\"", quoted);
    }

    /** As the shell takes it for one word, whatever it is. */
    static String literal(String word) {
        return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
