package io.firn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.train.Devices;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** The scripts that measure GPUs, as far as that goes without one: no rate comes from here. */
class GpuBenchmarkTest {
    private static final Path SCRIPTS = Path.of("benchmarks", "gpu");

    /** What a script printed, and its exit status. */
    private record Outcome(int status, String text) {
    }

    private static Outcome python(Path folder, String... arguments) throws IOException, InterruptedException {
        ProcessBuilder b = new ProcessBuilder("python3", "-B");
        b.command().addAll(List.of(arguments));
        Process p = b.directory(folder.toFile()).redirectErrorStream(true).start();
        String text = new String(p.getInputStream().readAllBytes());
        return new Outcome(p.waitFor(), text);
    }

    @BeforeAll
    static void interpreter() throws InterruptedException {
        try {
            Assumptions.assumeTrue(python(Path.of("."), "--version").status == 0);
        } catch (IOException e) {
            System.out.println("GpuBenchmarkTest is skipped: there is no python3");
            Assumptions.abort(e.getMessage());
        }
    }

    @Test
    void theScriptsOwnTestsPass() throws IOException, InterruptedException {
        Outcome tests = python(SCRIPTS, "-m", "unittest", "paired_test");
        assertThat(tests.status).as(tests.text).isZero();
    }

    @Test
    void everyCommandIsOneThatFirnTakes() throws IOException, InterruptedException {
        Outcome dry = python(Path.of("."), SCRIPTS.resolve("paired.py").toString(), "--dry");
        assertThat(dry.status).as(dry.text).isZero();
        List<String> firn = dry.text.lines().filter(l -> l.startsWith("./firn ")).toList();
        assertThat(firn).as("three models, two precisions: trained whole and in part, and inference").hasSize(18);
        CommandLine line = new CommandLine(new Main(Devices::local, System.err))
                .setCaseInsensitiveEnumValuesAllowed(true);
        firn.forEach(l -> line.parseArgs(Arrays.copyOfRange(l.split(" "), 1, l.split(" ").length)));
    }

    @Test
    void withoutACardNothingIsMeasured() throws IOException, InterruptedException {
        Outcome none = python(Path.of("."), SCRIPTS.resolve("paired.py").toString(), "--card", "99");
        assertThat(none.status).isEqualTo(2);
        assertThat(none.text).contains("nothing was measured");
    }
}
