package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.firn.bundle.Bundle;
import io.firn.bundle.Contents;
import io.firn.train.TinyData;
import io.firn.weights.Safetensors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Jobs on a real Slurm of two nodes, which {@code benchmarks/slurm/up.sh} brings up on this machine: arrays, a study, and data-parallel
 * trainings of 2x2 ranks that lose a rank, are stopped, and lose a node, and end with the weights of an undisturbed one.
 */
@Tag("slow")
class SlurmClusterTest {
    private static final Path SCRIPTS = Path.of("benchmarks/slurm").toAbsolutePath();
    private static final Duration PATIENCE = Duration.ofMinutes(8);
    /** Of a second each or less: enough for a training to be disturbed three times before it ends. */
    private static final String EPOCHS = "200";

    @TempDir
    static Path folder;
    private static Path slurm;
    private static Path firn;
    private static Path data;

    @BeforeAll
    static void bringUp() throws Exception {
        // munge wants all to reach its socket.
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx--x--x"));
        slurm = folder.resolve("slurm");
        Said up = call(SCRIPTS.resolve("up.sh").toString(), slurm.toString());
        if (up.code == 3) {
            System.out.println("SlurmClusterTest is skipped: " + up.out.strip());
        }
        assumeTrue(up.code != 3, up.out);
        assertThat(up.code).as(up.out).isZero();
        firn = executable("firn", "exec '%s' -Xmx300m -XX:+UseSerialGC --add-modules=jdk.incubator.vector ".formatted(
                ProcessHandle.current().info().command().orElseThrow()) + "--enable-native-access=ALL-UNNAMED "
                + "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0 -cp '" + System.getProperty("java.class.path")
                + "' io.firn.cli.Main \"$@\"");
        data = TinyData.idx(folder.resolve("data"), 400, 40, 4);
    }

    @AfterAll
    static void bringDown() throws Exception {
        if (firn != null) {
            call(SCRIPTS.resolve("down.sh").toString(), slurm.toString());
        }
    }

    /** What a process came to. */
    private record Said(int code, String out) {
    }

    private static Path executable(String name, String body) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "#!/bin/bash\n" + body + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static Said call(String... command) throws Exception {
        // Daemons keep the output open: a file, not a pipe.
        Path out = Files.createTempFile(folder, "said", ".txt");
        ProcessBuilder p = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile());
        p.environment().put("SLURM_CONF", slurm.resolve("slurm.conf").toString());
        int code = p.start().waitFor();
        return new Said(code, Files.readString(out));
    }

    private static String submit(Path run, List<String> options, String... more) throws Exception {
        List<String> words = new ArrayList<>(List.of(firn.toString(), "submit", "--output", run.toString()));
        if (!options.contains("--stage")) {
            words.addAll(List.of("--firn", firn.toString()));
        }
        words.addAll(options);
        words.addAll(List.of("train", "--data", data.toString(), "--model", "resnet20", "--depth", "0.3", "--batch", "8",
                "--precision", "fp32", "--deterministic", "--checkpoint-every", "1", "--threads", "1", "--augment", "flip",
                "--rank-timeout", "20"));
        words.addAll(Arrays.asList(more));
        Said s = call(words.toArray(String[]::new));
        assertThat(s.code).as(s.out).isZero();
        return Files.readString(run.resolve("slurm/job")).strip();
    }

    @FunctionalInterface
    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(String what, Path run, Condition c) throws Exception {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (!c.holds()) {
            assertThat(System.nanoTime()).as(what + "\n" + logs(run)).isLessThan(until);
            Thread.sleep(100);
        }
    }

    private static String logs(Path run) throws IOException {
        if (!Files.isDirectory(run.resolve("slurm"))) {
            return "";
        }
        StringBuilder text = new StringBuilder();
        try (Stream<Path> files = Files.list(run.resolve("slurm"))) {
            for (Path log : files.filter(f -> f.toString().endsWith(".log")).toList()) {
                text.append(Files.readString(log, StandardCharsets.UTF_8));
            }
        }
        return text.toString();
    }

    private static int steps(Path run) throws IOException {
        Path metrics = run.resolve("metrics.jsonl");
        return Files.exists(metrics) ? Files.readAllLines(metrics).size() : 0;
    }

    private static boolean isDone(Path run) {
        return Files.exists(run.resolve("report.html"));
    }

    /** Waits until this start has got further and has a checkpoint. */
    private static void awaitProgress(Path run, int start) throws Exception {
        await("start " + start, run, () -> logs(run).contains("start " + start + " on"));
        int before = steps(run);
        await("progress of start " + start, run, () -> steps(run) > before + 100 && Files.exists(run.resolve("checkpoint")));
        assertThat(isDone(run)).as("it ends too soon to be disturbed").isFalse();
    }

    /** The process of a rank of the job. */
    private static ProcessHandle rank(String job, int rank) {
        return ProcessHandle.allProcesses().filter(p -> {
            try {
                String env = Files.readString(Path.of("/proc", String.valueOf(p.pid()), "environ"), StandardCharsets.ISO_8859_1);
                return env.contains("SLURM_JOB_ID=" + job + "\0") && env.contains("SLURM_PROCID=" + rank + "\0")
                        && env.contains("SLURM_STEP_NUM_TASKS=4\0") && p.info().command().orElse("").endsWith("java");
            } catch (IOException e) {
                return false;
            }
        }).findFirst().orElseThrow();
    }

    private static void assertSameRun(Path run, Path whole) throws IOException {
        var expected = Safetensors.read(whole.resolve("weights.safetensors")).tensors();
        Safetensors.read(run.resolve("weights.safetensors")).tensors()
                .forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(expected.get(name).data()));
        assertThat(steps(run)).isEqualTo(steps(whole));
    }

    @Test
    void anArray() throws Exception {
        Path run = folder.resolve("array");
        submit(run, List.of("--array", "0-2%2"), "--epochs", "1", "--seed", "{}");
        for (int i = 0; i < 3; i++) {
            Path task = run.resolve(String.valueOf(i));
            await("task " + i, run, () -> isDone(task));
            assertThat(Files.readString(task.resolve("config.toml"))).contains("seed = " + i);
        }
    }

    @Test
    void ranksThatAreKilledStoppedAndLoseTheirNode() throws Exception {
        List<String> four = List.of("--nodes", "2", "--ranks-per-node", "2");
        Path whole = folder.resolve("whole");
        submit(whole, four, "--epochs", EPOCHS);
        await("the undisturbed job", whole, () -> isDone(whole));

        Path run = folder.resolve("disturbed");
        String job = submit(run, four, "--epochs", EPOCHS);
        awaitProgress(run, 1);
        rank(job, 3).destroyForcibly();
        await("who was killed", run, () -> logs(run).contains("rank 3 (") && logs(run).contains("ended without a word"));

        awaitProgress(run, 2);
        // As Slurm does before the time limit, which is a matter of whole minutes: the training is the second step.
        assertThat(call("scancel", "--signal=TERM", job + ".1").code).isZero();
        await("exit code 75", run, () -> logs(run).contains("end with code 75"));

        awaitProgress(run, 3);
        killNode(job);
        await("Slurm notices", run, () -> call("sinfo", "-hN", "-n", "node2", "-o", "%T").out.startsWith("down"));
        assertThat(call("slurmd", "-N", "node2").code).isZero();

        await("the end", run, () -> isDone(run));
        assertSameRun(run, whole);
        assertThat(logs(run)).contains("SIGTERM: stopped at step");
    }

    /** All that a node runs, as when its power fails. */
    private static void killNode(String job) throws IOException {
        List<ProcessHandle> those = new ArrayList<>(List.of(rank(job, 2), rank(job, 3)));
        those.add(ProcessHandle.of(Long.parseLong(Files.readString(slurm.resolve("slurmd.node2.pid")).strip())).orElseThrow());
        ProcessHandle.allProcesses().filter(p -> p.info().commandLine().orElse("").startsWith("slurmstepd: [" + job)
                && p.children().anyMatch(c -> those.stream().anyMatch(t -> t.pid() == c.pid()))).forEach(those::add);
        those.forEach(ProcessHandle::destroyForcibly);
    }

    /** Nodes need neither Java nor Firn, and nothing is left there. */
    @Test
    void aBundleIsStaged() throws Exception {
        Path archive = folder.resolve("firn.tar.gz");
        Bundle.create(archive, Contents.ALL, _ -> { });
        Path run = folder.resolve("staged");
        String job = submit(run, List.of("--stage", archive.toString()), "--epochs", "1");
        await("the end", run, () -> isDone(run));
        await("the job's end", run, () -> call("squeue", "-h").out.lines().noneMatch(l -> l.strip().startsWith(job)));
        assertThat(logs(run)).contains("end with code 0");
        assertThat(Path.of(System.getProperty("java.io.tmpdir"), "firn-" + job)).doesNotExist();
    }

    /** It is stopped in the middle, and goes on. */
    @Test
    void aStudyIsArrays() throws Exception {
        Path study = folder.resolve("study");
        String[] words = {firn.toString(), "study", "degradation", "--slurm", "--firn", firn.toString(), "--jobs", "3", "--depths",
            "20,32", "--seeds", "2", "--max-steps", "30", "--batch", "8", "--precision", "fp32", "--data", data.toString(), "--output",
            study.toString()};
        Path said = folder.resolve("study.txt");
        ProcessBuilder p = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(said.toFile());
        p.environment().put("SLURM_CONF", slurm.resolve("slurm.conf").toString());
        Process process = p.start();
        await("a run that ends", study, () -> Files.readString(said).contains(" done after "));
        process.destroy();
        assertThat(process.waitFor()).as(Files.readString(said)).isEqualTo(75);
        assertThat(call("squeue", "-h", "--name=firn-study").out).as("jobs that were left").isBlank();

        Said again = call(words);
        assertThat(again.code).as(again.out).isZero();
        assertThat(Files.readString(study.resolve("results.json"))).contains("plain32", "resnet20");
        for (String net : List.of("plain20", "plain32", "resnet20", "resnet32")) {
            for (int seed = 0; seed < 2; seed++) {
                assertThat(steps(study.resolve("runs/" + net + "-seed" + seed))).as(net).isGreaterThanOrEqualTo(30);
            }
        }
        assertThat(logs(study)).contains("on node1 at", "ends with code 0");
        assertThat(Files.readString(slurm.resolve("log/jobcomp"))).contains("Name=firn-study");
    }

    @Test
    void aCancelledJobStaysAway() throws Exception {
        Path run = folder.resolve("cancelled");
        String job = submit(run, List.of("--nodes", "2"), "--epochs", "2000");
        awaitProgress(run, 1);
        Said status = call(firn.toString(), "submit", "--status", run.toString());
        assertThat(status.out).contains(job).contains("RUNNING");
        assertThat(call(firn.toString(), "submit", "--cancel", run.toString()).code).isZero();
        await("its end", run, () -> call("squeue", "-h").out.lines().noneMatch(l -> l.strip().startsWith(job)));
        Thread.sleep(3000);
        assertThat(call(firn.toString(), "submit", "--status", run.toString()).out).doesNotContain("RUNNING").doesNotContain("PENDING");
        assertThat(isDone(run)).isFalse();
    }
}
