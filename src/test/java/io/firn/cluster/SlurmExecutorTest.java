package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.study.Job;
import io.firn.study.Slots;
import io.firn.study.Training;
import io.firn.study.schedule.Entry;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.Scheduler;
import io.firn.study.schedule.Task;
import io.firn.train.Price;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs of a study as jobs of a Slurm that {@link FakeSlurm} stands for; a shell script stands for Firn. */
class SlurmExecutorTest {
    @TempDir
    private Path root;
    private FakeSlurm slurm;

    @BeforeEach
    void bringUp() throws IOException {
        slurm = new FakeSlurm(root.resolve("bin"));
    }

    private SlurmSite site(int jobs, String... more) {
        return new SlurmSite(slurm.commands(), root.resolve("firn").toString(), Optional.empty(), jobs, 1, Optional.of("1:00:00"),
                List.of(more), Duration.ofMillis(100), new PrintStream(OutputStream.nullOutputStream()));
    }

    private List<Training> trainings(int n) {
        return IntStream.range(0, n).mapToObj(i -> new Training(new Job("run" + i, "run" + i, "g", Map.of("seed", i),
                new Price("resnet20", 8, 12, 1, 1, 1, 1_000_000L * (i / 2 + 1), 1, 0, 100, 1)), root.resolve("study/runs/run" + i + ".toml"),
                root.resolve("study/runs/run" + i), root.resolve("study/logs/run" + i + ".log"))).toList();
    }

    private static Task task(Training t) {
        return new Task(t.name(), "g", 1, t.job().price().bytes());
    }

    private void firn(String body) throws IOException {
        Files.createDirectories(root.resolve("study/runs"));
        Files.createDirectories(root.resolve("study/logs"));
        Path file = Files.writeString(root.resolve("firn"), "#!/bin/bash\n[ \"$1\" != info ] || exit 0\nrun=$5; mkdir -p $run\n" + body);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private SequencedMap<String, Entry> run(SlurmSite site, int runs, Map<String, Entry> before, BooleanSupplier stop) {
        List<Training> all = trainings(runs);
        Slots slots = site.slots(runs);
        try (Executor executor = site.open(slots, root.resolve("study"), all)) {
            return new Scheduler(all.stream().map(SlurmExecutorTest::task).toList(), before, executor, (_, _, _) -> { }).run(stop);
        }
    }

    private List<String> submitted() throws IOException {
        return Files.readAllLines(slurm.file("submitted"));
    }

    @Test
    void runsAreArraysOfTheirMemoryAndCrashesGoOn() throws IOException {
        firn("""
                echo start >>$run/starts
                [ "$1 $2 $4 $6" = "train --config --output --resume" ] && grep -q seed "$3" || exit 2
                case $run in *run1) [ -e $run/first ] || { touch $run/first; kill -9 $$; };; esac
                case $run in *run2) echo "firn: the loss is NaN at step 3"; exit 5;; esac
                """);
        var entries = run(site(0), 4, Map.of(), () -> false);
        assertThat(entries.get("run0")).matches(e -> e.status() == Entry.Status.DONE && e.attempts() == 1 && e.device().startsWith("node1."));
        assertThat(entries.get("run1")).matches(e -> e.status() == Entry.Status.DONE && e.attempts() == 2);
        assertThat(entries.get("run2")).matches(e -> e.status() == Entry.Status.FAILED && e.attempts() == 1
                && e.problem().equals("exit 5: the loss is NaN at step 3"));
        assertThat(entries.get("run3").status()).isEqualTo(Entry.Status.DONE);
        assertThat(root.resolve("study/runs/run1/starts")).hasContent("start\nstart");
        List<String> first = Files.readAllLines(Path.of(submitted().getFirst()));
        assertThat(first).contains("#SBATCH --array=0-1", "#SBATCH --time=1:00:00", "#SBATCH --cpus-per-task=1", "#SBATCH --requeue");
        // Exactly, in the megabytes that Slurm counts.
        List<Long> memory = submitted().stream().flatMap(s -> {
            try (Stream<String> lines = Files.lines(Path.of(s))) {
                return lines.filter(l -> l.startsWith("#SBATCH --mem=")).map(l -> Long.parseLong(l.replaceAll("\\D", ""))).toList().stream();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).distinct().toList();
        assertThat(memory).containsExactlyInAnyOrder(1L, 2L);
    }

    @Test
    void aStopLeavesAllToGoOn() throws IOException {
        firn("touch $run/starts; trap 'exit 75' TERM; [ ! -e " + root + "/go ] || exit 0; sleep 60 & wait\n");
        // One runs, one is taken out of the queue.
        int[] polls = {0};
        var entries = run(site(2), 3, Map.of(), () -> {
            boolean isUnderWay = Files.exists(root.resolve("study/runs/run0/starts")) && Files.exists(root.resolve("study/runs/run1/starts"));
            return isUnderWay && polls[0]++ > 1;
        });
        assertThat(entries.values()).allMatch(e -> e.status() == Entry.Status.WAITING);
        Files.createFile(slurm.file("hold"));
        int[] more = {0};
        entries = run(site(2), 3, entries, () -> more[0]++ > 3);
        assertThat(entries.values()).as("taken out of the queue").allMatch(e -> e.status() == Entry.Status.WAITING);
        assertThat(Files.readString(slurm.file("scancels"))).contains("--state=PENDING", "--batch --signal=TERM", "\n--signal=TERM");
        Files.delete(slurm.file("hold"));
        Files.createFile(root.resolve("go"));
        assertThat(run(site(2), 3, entries, () -> false).values()).allMatch(e -> e.status() == Entry.Status.DONE);
    }

    @Test
    void jobsOfAProcessThatDiedAreFollowed() throws IOException {
        firn("until [ -e " + root + "/go ]; do sleep .1; done\n");
        List<Training> all = trainings(2);
        try (Executor executor = site(0).open(site(0).slots(2), root.resolve("study"), all)) {
            for (int i = 0; i < 2; i++) {
                executor.start(task(all.get(i)), executor.devices().get(i));
            }
            executor.await();
        }
        Files.createFile(root.resolve("go"));
        assertThat(run(site(0), 2, Map.of(), () -> false).values()).allMatch(e -> e.status() == Entry.Status.DONE);
        assertThat(submitted()).hasSize(1);
    }

    /** It was killed after Slurm had taken its jobs, and before it could write down their number. */
    @Test
    void jobsThatWereNotWrittenDownAreFound() throws IOException {
        firn("echo start >>$run/starts; until [ -e " + root + "/go ]; do sleep .1; done\n");
        List<Training> all = trainings(3);
        try (Executor executor = site(0).open(site(0).slots(2), root.resolve("study"), all)) {
            for (int i = 0; i < 2; i++) {
                executor.start(task(all.get(i)), executor.devices().get(i));
            }
            executor.await();
        }
        Files.delete(root.resolve("study/slurm/jobs.json"));
        // It asks whether to stop once it has looked for jobs.
        assertThat(run(site(0), 3, Map.of(), () -> root.resolve("go").toFile().mkdir() && false).values())
                .allMatch(e -> e.status() == Entry.Status.DONE);
        assertThat(submitted()).as("one more, for what was in no job").hasSize(2);
        assertThat(root.resolve("study/runs/run0/starts")).hasContent("start");
    }

    @Test
    void aFullQueueIsWaitedForWhileSomethingRuns() throws IOException {
        firn("until [ -e " + slurm.file("full") + " ]; do sleep .1; done; sleep .5; rm -f " + slurm.file("full") + "\n");
        SlurmSite site = site(0);
        List<Training> all = trainings(2);
        Map<String, Entry> ends = new LinkedHashMap<>();
        try (Executor executor = site.open(site.slots(2), root.resolve("study"), all)) {
            executor.start(task(all.get(0)), executor.devices().get(0));
            executor.await();
            Files.createFile(slurm.file("full"));
            executor.start(task(all.get(1)), executor.devices().get(1));
            executor.await();
            assertThat(submitted()).hasSize(1);
        }
        Files.deleteIfExists(slurm.file("full"));
        Files.writeString(root.resolve("firn"), "#!/bin/bash\nexit 0\n");
        ends.putAll(run(site, 2, Map.of(), () -> false));
        assertThat(ends.values()).allMatch(e -> e.status() == Entry.Status.DONE);
    }

    @Test
    void aQueueThatTakesNothingIsOneLine() throws IOException {
        firn("exit 0\n");
        Files.createFile(slurm.file("full"));
        assertThatThrownBy(() -> run(site(0), 2, Map.of(), () -> false)).isInstanceOf(UserError.class).hasMessage(
                "Slurm refuses: QOSMaxSubmitJobPerUserLimit; Batch job submission failed: Job violates accounting/QOS policy "
                        + "(job submit limit)");
    }

    @Test
    void aCancelledJobIsNotTriedAgain() throws IOException {
        // As scancel does: the queue says so, and all that runs is told.
        firn("trap 'exit 75' TERM; echo CANCELLED >" + slurm.file("queue") + "/$FAKE; kill -TERM $PPID; exit 75\n");
        var entries = run(site(0), 1, Map.of(), () -> false);
        assertThat(entries.get("run0")).matches(e -> e.status() == Entry.Status.FAILED && e.problem().equals("job 17_0 was cancelled"));
    }

    @Test
    void aJobThatIsGoneIsTriedAgain() throws IOException {
        firn("[ ! -e $run/first ] || exit 0; touch $run/first; rm " + slurm.file("queue") + "/$FAKE; kill -9 $PPID; sleep 60\n");
        var entries = run(site(0), 1, Map.of(), () -> false);
        assertThat(entries.get("run0")).matches(e -> e.status() == Entry.Status.DONE && e.attempts() == 2);
    }

    @Test
    void devicesAreWhatSinfoSays() throws IOException {
        slurm.nodes("a|main*|idle|4|1000", "b|main*|mix~|2|9000+", "c|main*|down*|64|64000", "d|main*|drain|64|64000", "a|big|idle|4|1000",
                "e|big|alloc|8|32000");
        assertThat(site(0).slots(100)).isEqualTo(new Slots(6, 1, 9000L << 20, "the most that a node of Slurm's has is"));
        assertThat(site(0).open(site(0).slots(4), root.resolve("study"), List.of()).devices()).extracting(d -> d.name())
                .containsExactly("b.0", "a.0", "b.1", "a.1");
        assertThat(site(3).slots(100).count()).isEqualTo(3);
        SlurmSite big = new SlurmSite(slurm.commands(), "firn", Optional.of("big"), 0, 4, Optional.empty(), List.of(), Duration.ofSeconds(1),
                System.err);
        assertThat(big.slots(100)).matches(s -> s.count() == 3 && s.threads() == 4 && s.memory() == 32000L << 20);
        SlurmSite none = new SlurmSite(slurm.commands(), "firn", Optional.of("gpu"), 0, 4, Optional.empty(), List.of(), Duration.ofSeconds(1),
                System.err);
        assertThatThrownBy(() -> none.slots(1)).hasMessage("Slurm has no partition gpu; give --partition one of main, big")
                .isInstanceOfSatisfying(UserError.class, e -> assertThat(e.kind()).isEqualTo(UserError.Kind.USAGE));
        slurm.nodes("c|main*|down*|64|64000");
        assertThatThrownBy(() -> site(0).slots(1)).hasMessageContaining("partition main has no node that is up");
        assertThatThrownBy(() -> new SlurmSite(new Slurm(root + "/none/", Duration.ofSeconds(1)), "firn", Optional.empty(), 0, 1,
                Optional.empty(), List.of(), Duration.ofSeconds(1), System.err).slots(1)).hasMessageStartingWith("there is no Slurm here: sinfo");
    }
}
