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
