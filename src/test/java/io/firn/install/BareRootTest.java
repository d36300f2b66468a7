package io.firn.install;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a machine goes through that has nothing yet: a bare Debian, the install steps of the images, a build, README's first
 * command (a few steps of it) and tests. Takes minutes and a network.
 */
@Tag("slow")
class BareRootTest {
    private static final Path SCRIPT = Path.of("docker", "bare-root.sh").toAbsolutePath();

    private static final Predicate<String> NO_WHEELS = Pattern.compile(
            "requirement nvidia-cudnn-cu13\\S* \\(from versions: none\\)").asPredicate();

    @TempDir
    private static Path folder;

    @BeforeAll
    static void whatItNeeds() throws IOException, InterruptedException {
        String missing = !"root".equals(System.getProperty("user.name")) ? "it has to be run as root"
                : !has("debootstrap") ? "there is no debootstrap" : !has("unshare") ? "there is no unshare" : "";
        if (!missing.isEmpty()) {
            System.out.println("BareRootTest is skipped: " + missing);
            Assumptions.abort(missing);
        }
    }

    private static boolean has(String program) throws IOException, InterruptedException {
        return new ProcessBuilder("bash", "-c", "command -v " + program).start().waitFor() == 0;
    }

    /** What came of a command, and what it printed. */
    private record Run(int status, List<String> lines) {
        String succeeded() {
            assertThat(status).as(String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()))).isZero();
            return String.join("\n", lines);
        }
    }

    private static Run inside(String options, String command) throws IOException, InterruptedException {
        Path log = folder.resolve("log");
        Process p = new ProcessBuilder("bash", "-c", "%s %s %s -- %s".formatted(SCRIPT, folder.resolve("root"), options, command))
                .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        int status = p.waitFor();
        return new Run(status, Files.readAllLines(log));
    }

    @Test
    void aNewMachineTrainsAndTests() throws IOException, InterruptedException {
        assertThat(inside("", "./firn train --data fashion-mnist --model resnet20 --max-steps 3").succeeded())
                .contains("resnet20: ", "3 steps");
        inside("", "mvn -B -q -ntp verify -Dtest=io.firn.graph.*Test,io.firn.weights.*Test,PlanCommandTest").succeeded();
    }

    /** The driver is no part of it: plans are asked for, and nothing runs. */
    @Test
    void aNewMachinePlansForAGpu() throws IOException, InterruptedException {
        Run plan = inside("--cuda", "./firn plan resnet20 --target h100 --batch 64 --mode infer");
        // A network that has the package in another version has it, and the list of versions is wrong.
        if (plan.lines.stream().anyMatch(NO_WHEELS)) {
            String reason = "pip finds no wheels of cuDNN in the network of this machine";
            System.out.println("BareRootTest plans for no GPU: " + reason);
            Assumptions.abort(reason);
        }
        assertThat(plan.succeeded()).contains("cuDNN 9.24.0").contains("cudnn:graph e").doesNotContain("has no engine");
    }
}
