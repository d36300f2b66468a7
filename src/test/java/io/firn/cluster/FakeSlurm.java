package io.firn.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;

/**
 * Slurm's commands as scripts over a folder: {@code sbatch} runs an array's tasks at once as processes of this machine, {@code
 * queue/JOB} says where each stands. A file {@code full} lets it refuse, {@code hold} lets tasks wait.
 */
final class FakeSlurm {
    private final Path folder;

    FakeSlurm(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
        Files.createDirectories(folder.resolve("queue"));
        Files.createDirectories(folder.resolve("pids"));
        Files.createDirectories(folder.resolve("scripts"));
        String here = "cd " + folder + "\n";
        command("sbatch", here + """
                if [ -e full ]; then
                  echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2
                  echo 'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)' >&2
                  exit 1
                fi
                n=$(( $(cat next 2>/dev/null || echo 16) + 1 ))
                echo $n >next
                echo "$2" >>submitted
                echo "$2" >scripts/$n
                for i in $(seq 0 $(sed -n 's/^#SBATCH --array=0-//p' "$2")); do
                  echo PENDING >queue/${n}_$i
                  (
                    while [ -e hold ]; do sleep .05; done
                    [ "$(cat queue/${n}_$i)" = PENDING ] || exit
                    echo RUNNING >queue/${n}_$i
                    export SLURM_ARRAY_TASK_ID=$i SLURM_JOB_NODELIST=node1 FAKE=${n}_$i PATH=$PWD:$PATH
                    bash "$2" &
                    echo $! >pids/${n}_$i.batch
                    wait $!
                    [ "$(cat queue/${n}_$i)" != RUNNING ] || echo COMPLETED >queue/${n}_$i
                  ) >/dev/null 2>&1 </dev/null &
                done
                echo "$n;cluster"
                """);
        command("srun", "echo $$ >" + folder + "/pids/$FAKE.step; exec \"$@\"");
        command("squeue", here + "for j in $(ls queue); do echo \"$j|$(cat queue/$j)|$(cat scripts/${j%_*})\"; done");
        command("scancel", here + """
                echo "$@" >>scancels
                which=step
                for a; do
                  case $a in
                    --batch) which=batch ;;
                    --state=PENDING) which= ;;
                    --signal=TERM) ;;
                    *) if [ -n "$which" ]; then kill -TERM $(cat pids/$a.$which); else echo CANCELLED >queue/$a; fi ;;
                  esac
                done 2>/dev/null
                exit 0
                """);
        command("sinfo", "cat " + folder + "/nodes");
        nodes("node1|main*|mix|2|8000");
    }

    /** What {@code sinfo} says. */
    void nodes(String... lines) throws IOException {
        Files.write(folder.resolve("nodes"), List.of(lines));
    }

    private void command(String name, String body) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "#!/bin/bash\n" + body);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    Slurm commands() {
        return new Slurm(folder + "/", Duration.ofSeconds(20));
    }

    Path file(String name) {
        return folder.resolve(name);
    }
}
