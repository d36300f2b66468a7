package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.train.TinyData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code firn study} as a user types it, and what goes wrong. */
class StudyCommandsTest {
    @TempDir
    static Path shared;
    private static Path data;

    @TempDir
    private Path folder;

    @BeforeAll
    static void data() {
        data = TinyData.idx(shared.resolve("data"), 80, 40, 4);
    }

    private static String[] words(String line, Object... more) {
        List<String> words = new ArrayList<>(List.of(("study " + line).split(" ")));
        for (Object o : more) {
            words.add(o.toString());
        }
        return words.toArray(String[]::new);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            degradation --seeds 1                     | --seeds 1: a test needs at least 2 runs
            degradation --depths 20                   | --depths: give at least 2
            degradation --depths 20,57                | there is no model 'plain57'
            degradation --budget soon                 | --budget soon: give a time such as 40m
            degradation --target h100                 | add --dry-run
            degradation --jobs 4096 --max-steps 9     | --jobs 4096: must be from 1 to
            degradation --budget 0.001s --dry-run --target h100 --depths 20,32 | fewer than 20 tell nothing
            degradation --time 9:00 --max-steps 9     | --firn are for --slurm: add it
            degradation --slurm --time 2:00 --firn x  | --time 2:00: ranks are told to stop 120 s before
            degradation --slurm --cpus-per-run 0 --firn x | --cpus-per-run 0: at least 1
            scaling --cost 1                          | --cost 1.0: must be above 1
            scaling --coefficients 1.2,1.1            | give three numbers
            scaling --coefficients 0.9,1,1            | factors of at least 1
            scaling --grid-step 0.3 --tolerance 0.01  | no point of the grid
            scaling --deadline 8h                     | --deadline is for --fit
            scaling --fit                             | --fit needs --deadline
            scaling --fit --deadline 8h --target h900 --baseline resnet20 | no device has that name
            scaling --halving --max-steps 10 --baseline resnet20 --dry-run | --halving needs --epochs
            """)
    void aWrongOptionIsOneLineAndLeavesNothing(String line, String message) {
        Path output = folder.resolve("study");
        var r = CommandLineRun.of(words(line, "--data", data, "--output", output));
        assertThat(r.err().strip().lines().toList().getLast()).contains(message);
        assertThat(r.code()).as(r.err()).isEqualTo(2);
        assertThat(r.out()).isEmpty();
        assertThat(output).doesNotExist();
    }

    @Test
    void aDryRunPricesEveryRunOfEveryNet() {
        var r = CommandLineRun.of(words("degradation --depths 20,32 --seeds 2 --max-steps 40 --batch 8 --dry-run --json --data",
                data));
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(r.json()).hasSize(8);
        assertThat(CommandLineRun.fields(r.json().get(0))).containsExactly("run", "model", "resolution", "parameters",
                "multiply_adds", "flops", "bytes", "steps", "seconds");
        assertThat(r.json().get(0).get("run").asText()).isEqualTo("plain20-seed0");
        assertThat(r.json().get(0).get("steps").asLong()).isEqualTo(40);
    }

    @Test
    void aDryRunOfScalingPricesNetsForAGpuThatIsNotHere() {
        var r = CommandLineRun.of(words("scaling --baseline resnet20 --coefficients 1.2,1.1,1.15 --seeds 2 --max-steps 40 --batch 8 "
                + "--dry-run --target h100 --json --data", data));
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(r.json()).hasSize(10);
        long base = r.json().get(0).get("multiply_adds").asLong();
        for (var run : r.json()) {
            double cost = (double) run.get("multiply_adds").asLong() / base;
            assertThat(cost).as(run.get("run").asText()).isBetween(run.get("run").asText().startsWith("baseline") ? 1 : 1.6, 2.4);
        }
    }

    /** Of ResNet-20's channels and blocks, a coarse grid leaves one that is deeper, one wider, one larger. */
    @Test
    void aGridWithoutACompoundNetIsRemarkedOn() {
        String line = "scaling --baseline resnet20 --seeds 2 --max-steps 40 --batch 8 --dry-run --target h100 --resolution 12 "
                + "--grid-step %s --data";
        assertThat(CommandLineRun.of(words(line.formatted("0.2"), data)).err()).contains("grows in more than one dimension");
        assertThat(CommandLineRun.of(words(line.formatted("0.1 --tolerance 0.1"), data)).err()).doesNotContain("more than one");
    }

    @Test
    void theLargestNetThatFitsADeadlineIsNamed() {
        String line = "scaling --baseline resnet20 --fit --target l4 --batch 64 --epochs 1 --json --deadline %s --data";
        var fit = CommandLineRun.of(words(line.formatted("0.0007s"), data)).json();
        double phi = fit.get("phi").asDouble();
        assertThat(phi).isPositive();
        assertThat(fit.get("seconds").asDouble()).isLessThanOrEqualTo(0.0007);
        assertThat(fit.get("resolution").asInt()).isEqualTo((int) Math.round(12 * Math.pow(1.15, phi)));
        var never = CommandLineRun.of(words(line.formatted("0.0001s"), data));
        assertThat(never.code()).isEqualTo(2);
        assertThat(never.err()).contains("resnet20 itself takes");
    }

    @Test
    @Tag("slow")
    void bothStudiesRunToTheirReportsAndRepeatNothing() throws Exception {
        Path degradation = folder.resolve("d");
        String[] words = words("degradation --depths 20,32 --seeds 2 --max-steps 24 --batch 8 --precision fp32 --json --data", data,
                "--output", degradation);
        var first = CommandLineRun.here((Object[]) words);
        assertThat(first.code()).as(first.err()).isZero();
        assertThat(first.json().get("runs")).hasSize(8);
        assertThat(first.json().get("runs").get(0).get("responses")).hasSize(19);
        assertThat(first.json().get("declared")).hasSize(5);
        assertThat(Files.readString(degradation.resolve("report.html"))).contains("Declared before the runs");
        var second = CommandLineRun.here((Object[]) words);
        assertThat(second.json()).isEqualTo(first.json());
        assertThat(Files.readAllLines(degradation.resolve("runs/plain20-seed0/environment.jsonl"))).hasSize(1);

        Path scaling = folder.resolve("s");
        var r = CommandLineRun.here((Object[]) words("scaling --baseline resnet20 --grid-step 0.4 --halving --seeds 2 --epochs 4 "
                + "--batch 8 --phi 1.5 --precision fp32 --json --data", data, "--output", scaling));
        assertThat(r.code()).as(r.err()).isZero();
        assertThat(r.json().get(0).get("points")).hasSizeGreaterThan(5);
        assertThat(Files.readString(scaling.resolve("report.html"))).contains("By multiply-adds");
        var trained = CommandLineRun.here("train", "--config", scaling.resolve("phi-1.5.toml"), "--max-steps", 1, "--output",
                folder.resolve("run"));
        assertThat(trained.code()).as(trained.err()).isZero();
    }
}
