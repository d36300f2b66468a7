package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Slurm's commands say, in one line each; the commands are the test's own. */
class SlurmTest {
    @TempDir
    private Path folder;

    private void command(String name, String body) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Slurm slurm() {
        return new Slurm(folder + "/", Duration.ofSeconds(2));
    }

    private Submission submission() {
        return new Submission(List.of("train", "--data", "x"), folder.resolve("run"), "firn", Optional.empty(), 1, 1, 0, 0,
                Optional.empty(), Optional.empty(), 60, 3, List.of());
    }

    @Test
    void withoutSlurm() {
        assertThatThrownBy(() -> slurm().submit(submission())).isInstanceOf(UserError.class).hasMessage("there is no Slurm here: "
                + "sbatch is not on the PATH; run this on a cluster's login node (firn submit --dry-run prints a job's script anywhere)");
    }

    @Test
    void aFullQueue() throws IOException {
        command("sbatch", "echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2\n"
                + "echo 'sbatch: error: Batch job submission failed: Resource temporarily unavailable' >&2; exit 1");
        assertThatThrownBy(() -> slurm().submit(submission())).isInstanceOf(UserError.class).hasMessage("Slurm refuses: Slurm "
                + "temporarily unable to accept job, sleeping and retrying; Batch job submission failed: Resource temporarily "
                + "unavailable");
        assertThat(folder.resolve("run")).as("nothing half-made").doesNotExist();
        assertThat(folder).exists();
    }

    /** What was there before stays as it was. */
    @Test
    void aRefusalLeavesAnEarlierJobsFiles() throws IOException {
        Path slurm = Files.createDirectories(folder.resolve("run/slurm"));
        Files.writeString(slurm.resolve("job.sh"), "as it was");
        command("sbatch", "echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1");
        assertThatThrownBy(() -> slurm().submit(submission())).hasMessage("Slurm refuses: invalid partition specified: gpu");
        assertThat(slurm).isDirectoryContaining(f -> f.endsWith("job.sh")).isDirectoryNotContaining(f -> !f.endsWith("job.sh"));
        assertThat(slurm.resolve("job.sh")).hasContent("as it was");
    }

    private Submission ofNodes(int nodes, String... more) {
        return new Submission(List.of("train", "--data", "x"), folder.resolve("run"), "firn", Optional.empty(), nodes, 1, 0, 0,
                Optional.empty(), Optional.empty(), 60, 3, List.of(more));
    }

    @Test
    void moreNodesThanThereAre() throws IOException {
        command("sinfo", "printf 'a|main*|idle|2|100\\nb|main*|down*|2|100\\na|big|idle|2|100\\nb|big|idle|2|100\\nc|big|idle|2|100\\n'");
        command("sbatch", "echo 17");
        command("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
        assertThatThrownBy(() -> slurm().submit(ofNodes(3))).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE)).hasMessage("--nodes 3: the job would wait for ever, since "
                + "partition main has 2; ask for fewer, or for another partition by --sbatch=--partition=NAME (sinfo lists them)");
        assertThat(folder.resolve("run")).doesNotExist();
        assertThatThrownBy(() -> slurm().submit(ofNodes(4, "--partition=main,big"))).hasMessageContaining("main has 2, big has 3");
        // What sinfo does not know, sbatch may.
        for (Submission s : List.of(ofNodes(3, "-p big"), ofNodes(3, "--partition=big,main"), ofNodes(2), ofNodes(9, "--clusters=far"),
                ofNodes(9, "--partition=hidden"))) {
            assertThat(slurm().submit(s)).isEqualTo("17");
        }
    }

    /** Sbatch itself tries again for minutes. */
    @Test
    void aQueueThatIsFullForLong() throws IOException {
        command("sbatch", "echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2; exec sleep 60");
        assertThatThrownBy(() -> slurm().submit(submission())).isInstanceOf(UserError.class).hasMessage("sbatch has not answered for "
                + "2 s: Slurm temporarily unable to accept job, sleeping and retrying");
    }

    @Test
    void aJobsLife() throws IOException {
        command("sbatch", "cp \"$2\" " + folder + "/seen; echo '17;cluster'");
        command("squeue", "case \"$2\" in --jobs=17) echo '17|firn-train|RUNNING|1:02|2|None';; "
                + "*) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1;; esac");
        command("scancel", "echo \"$1\" >" + folder + "/cancelled");
        assertThat(slurm().submit(submission())).isEqualTo("17");
        assertThat(folder.resolve("seen")).hasContent(Slurm.script(submission()));
        String run = folder.resolve("run").toString();
        assertThat(slurm().status(run)).containsExactly(new Slurm.Job("17", "firn-train", "RUNNING", "1:02", "2", "None"))
                .isEqualTo(slurm().status("17"));
        assertThat(slurm().status("18")).isEmpty();
        assertThatThrownBy(() -> slurm().submit(submission())).hasMessageContaining("is being run by job 17");
        slurm().cancel(run);
        assertThat(folder.resolve("cancelled")).hasContent("17");
    }
}
