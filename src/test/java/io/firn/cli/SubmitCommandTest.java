package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code firn submit} as far as it needs no Slurm: what it prints, and what it refuses in one line. */
class SubmitCommandTest {
    @TempDir
    private Path folder;

    private CommandLineRun submit(String... words) {
        String[] all = new String[words.length + 5];
        System.arraycopy(new String[] {"submit", "--output", folder.resolve("run").toString(), "--firn", "/opt/firn"}, 0, all, 0, 5);
        System.arraycopy(words, 0, all, 5, words.length);
        return CommandLineRun.of(all);
    }

    @Test
    void dryRunPrintsTheScript() {
        CommandLineRun r = submit("--dry-run", "--nodes", "2", "train", "--data", "x", "--model", "resnet20", "--epochs", "2");
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(r.out()).startsWith("#!/bin/bash\n#SBATCH --job-name=firn-train\n#SBATCH --nodes=2\n")
                .contains("train --data x --model resnet20 --epochs 2 --output " + folder.resolve("run") + " --resume &");
        assertThat(folder.resolve("run")).doesNotExist();
        CommandLineRun json = submit("--json", "--dry-run", "bench", "--model", "resnet20", "--json");
        assertThat(json.json().get("script").asText()).contains("bench --model resnet20 --json &");
    }

    @Test
    void wrongCommandsAreRefusedHere() {
        assertThat(submit("--dry-run", "tran", "--data", "x").err())
                .isEqualTo("firn: there is no command 'tran' to submit; did you mean train?\n");
        assertThat(submit("--dry-run", "submit", "train").code()).isEqualTo(2);
        assertThat(submit("--dry-run").err()).contains("what is to run?");
        assertThat(submit("--dry-run", "--stage", "none.tar", "train").code()).isEqualTo(3);
        assertThat(submit("--status", "none").err()).contains("none is neither a job's number nor the folder of a run");
    }
}
