package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The batch script that a submission becomes, and what is refused before Slurm sees it. */
class JobScriptTest {
    private static Submission of(String array, int nodes, int ranks, String... command) {
        return new Submission(List.of(command), Path.of("/data/runs/a b"), "/opt/firn/firn", Optional.empty(), nodes, ranks, 0, 2,
                Optional.of("2:00:00"), Optional.ofNullable(array), 90, 5, List.of("--partition=gpu"));
    }

    /** What bash says of the script; empty where it is well-formed. */
    private static String check(String script) throws IOException, InterruptedException {
        Process p = new ProcessBuilder("bash", "-n").redirectErrorStream(true).start();
        p.getOutputStream().write(script.getBytes(StandardCharsets.UTF_8));
        p.getOutputStream().close();
        String said = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        p.waitFor();
        return said;
    }

    @Test
    void aJobOfRanks() throws Exception {
        String script = JobScript.of(of(null, 2, 2, "train", "--data", "my photos", "--model", "resnet50"));
        assertThat(check(script)).isEmpty();
        assertThat(script.lines()).startsWith("#!/bin/bash").contains("#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=2",
                "#SBATCH --cpus-per-task=2", "#SBATCH --time=2:00:00", "#SBATCH --requeue", "#SBATCH --signal=TERM@90",
                "#SBATCH --output=\"/data/runs/a b/slurm/%j.log\"", "#SBATCH --partition=gpu")
                .contains("srun --kill-on-bad-exit=0 --wait=60 \"$firn\" train --data 'my photos' --model resnet50 "
                        + "--output '/data/runs/a b' --resume --threads 2 &");
        // Only directives before the first command count.
        assertThat(script.lastIndexOf("#SBATCH")).isLessThan(script.indexOf("\nset -u"));
    }

    @Test
    void anArrayPutsItsNumberIn() throws Exception {
        String script = JobScript.of(of("0-3%2", 1, 1, "train", "--model", "resnet20", "--seed", "{}", "--data", "it's"));
        assertThat(check(script)).isEmpty();
        assertThat(script).contains("#SBATCH --array=0-3%2\n", "/slurm/%A_%a.log\"\n", "--seed \"$SLURM_ARRAY_TASK_ID\" --data 'it'\\''s'",
                "--output '/data/runs/a b/'\"$SLURM_ARRAY_TASK_ID\" --resume");
        assertThat(JobScript.quoted("")).isEqualTo("''");
        assertThat(JobScript.quoted("a b{}c;d")).isEqualTo("'a b'\"$SLURM_ARRAY_TASK_ID\"'c;d'");
    }

    @Test
    void programsAreStaged() throws Exception {
        Submission s = new Submission(List.of("bench", "--model", "resnet20"), Path.of("/r"), "bin/firn",
                Optional.of(Path.of("/soft ware/firn.tar.gz")), 1, 1, 4, 0, Optional.empty(), Optional.empty(), 60, 0, List.of());
        String script = JobScript.of(s);
        assertThat(check(script)).isEmpty();
        assertThat(script).contains("\"$stage\" '/soft ware/firn.tar.gz' || exit 1", "firn=$stage/bin/firn\n", "#SBATCH --gres=gpu:4",
                "--ntasks-per-node=1 rm -rf \"$stage\"\n")
                .doesNotContain("--time", "--output /r --resume");
    }

    @ParameterizedTest
    @CsvSource({"--seed {},there is no --array", "--output x,belongs before the command", "--resume,belongs before the command"})
    void wrongWords(String words, String message) {
        String[] command = ("train " + words).split(" ");
        assertThatThrownBy(() -> of(null, 1, 1, command)).isInstanceOf(UserError.class).hasMessageContaining(message);
    }

    @Test
    void wrongNumbers() {
        assertThatThrownBy(() -> of("a-b", 1, 1, "train")).hasMessageContaining("--array a-b");
        assertThatThrownBy(() -> of(null, 0, 1, "train")).hasMessageContaining("--nodes 0: at least 1");
        assertThatThrownBy(() -> of(null, 2, 1, "bench")).hasMessage("firn bench runs in one process: leave out --nodes and "
                + "--ranks-per-node");
        assertThatThrownBy(() -> of(null, 1, 2, "finetune")).hasMessageStartingWith("firn finetune runs in one process");
        assertThatThrownBy(() -> of(null, 1, 1)).hasMessageContaining("what is to run?");
    }

    @ParameterizedTest
    @CsvSource({"90,", "2:01,", "0:2:01,", "1-0,", "0-0:3,", "0-0:2:1,", "2,told to stop 120 s before", "0:2:0,told to stop",
        "0-0:2,told to stop", "soon,no time in Slurm's words", "1:1:1:1,no time", "-1,no time"})
    void limits(String time, String message) {
        ThrowingCallable check = () -> Submission.checkTime(Optional.of(time), 120);
        if (message == null) {
            assertThatCode(check).doesNotThrowAnyException();
        } else {
            assertThatThrownBy(check).isInstanceOf(UserError.class).hasMessageContaining(message);
        }
    }

    @Test
    void slurmsOwnWords() {
        assertThat(Slurm.reason("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy\n"))
                .isEqualTo("Batch job submission failed: Job violates accounting/QOS policy");
        assertThat(Arrays.asList(Slurm.reason(""), Slurm.reason("\n"))).containsOnly("it does not say why");
    }
}
