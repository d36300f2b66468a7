package io.firn.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The batch script of some of a study's runs: an array of jobs, a run each, that need the same memory. Who follows them is
 * told the end by a file, {@code NAME.code}, since Slurm forgets jobs; runs that are stopped (75) wait there to be submitted
 * again.
 */
final class ArrayScript {
    /** In the place of the run's exit code, where the job was told to end: by whom, the queue says. */
    static final int CANCELLED = 143;
    /** Before the time limit at which a run is told to write its checkpoint and end. */
    static final int STOP_SECONDS = 120;

    private ArrayScript() {
    }

    /**
     * @param folder for scripts, logs and codes of the study
     * @param batch  the script's name, unique within the folder; {@code batch.list} says what its tasks are: in each line a
     *               name, and the words of a command and its output as the shell takes them
     * @param tasks  how many
     * @param memory bytes of each
     */
    static String of(SlurmSite site, Path folder, String batch, int tasks, long memory) {
        List<String> lines = new ArrayList<>(List.of("#!/bin/bash"));
        JobScript.option(lines, "job-name", "firn-study");
        JobScript.option(lines, "nodes", 1);
        JobScript.option(lines, "ntasks", 1);
        JobScript.option(lines, "cpus-per-task", site.cpusPerRun());
        JobScript.option(lines, "mem", Math.ceilDiv(memory, 1L << 20) + "M");
        site.partition().ifPresent(p -> JobScript.option(lines, "partition", p));
        site.time().ifPresent(t -> JobScript.option(lines, "time", t));
        JobScript.option(lines, "array", "0-" + (tasks - 1));
        JobScript.option(lines, "requeue", null);
        JobScript.option(lines, "open-mode", "append");
        JobScript.option(lines, "signal", "TERM@" + STOP_SECONDS);
        JobScript.option(lines, "output", JobScript.log(folder, "%A_%a.log"));
        site.more().forEach(m -> lines.add("#SBATCH " + m));
        lines.add("# Written by firn study.");
        lines.add("set -u");
        lines.add("folder=" + JobScript.literal(folder.toString()));
        lines.add("firn=" + JobScript.literal(site.program()));
        lines.add("line=$(sed -n $((SLURM_ARRAY_TASK_ID + 1))p \"$folder\"/" + JobScript.literal(batch + ".list") + ")");
        lines.add("""
                name=${line%% *}
                stopped=
                trap 'stopped=1' TERM
                rm -f "$folder/$name.code"
                echo "$name on $SLURM_JOB_NODELIST at $(date '+%F %T')"
                # One at a time on a node, so that no two processes unpack native libraries at the same time.
                flock "${TMPDIR:-/tmp}/firn-$(id -u).lock" "$firn" info >/dev/null
                code=75
                if [ -z "$stopped" ]; then
                  eval "srun \"\\$firn\" ${line#* } &"
                  step=$!
                  wait $step
                  code=$?
                  # A signal ends a wait before its time.
                  while kill -0 $step 2>/dev/null; do wait $step; code=$?; done
                fi
                [ -z "$stopped" ] || [ $code = 0 ] || code=CANCELLED
                echo "$name ends with code $code at $(date '+%F %T')"
                echo $code >"$folder/.$name.code" && mv "$folder/.$name.code" "$folder/$name.code"
                exit $code""".replace("CANCELLED", String.valueOf(CANCELLED)));
        return String.join("\n", lines) + "\n";
    }

    /** A task's line in the list. */
    static String line(String name, List<String> words, Path log) {
        return name + " " + String.join(" ", words.stream().map(JobScript::literal).toList()) + " >>"
                + JobScript.literal(log.toString()) + " 2>&1\n";
    }
}
