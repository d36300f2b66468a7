package io.firn.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.study.schedule.Entry;
import io.firn.study.schedule.Scheduler;
import io.firn.train.Price;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs as processes, in whose place a shell script stands: {@code SCRIPT train --config FILE --output RUN --resume}. */
class LocalExecutorTest {
    private static final Price PRICE = new Price("resnet20", 8, 12, 1, 1, 1, 1000, 1, 0, 100, 1);

    @TempDir
    private Path root;

    private static StudyFolder.Asked asked(String seeds) {
        return new StudyFolder.Asked("degradation", new TreeMap<>(Map.of("seeds", seeds)), List.of());
    }

    private static List<Job> jobs(int n) {
        return IntStream.range(0, n).mapToObj(i -> new Job("run" + i, "run" + i, "g", Map.of("seed", i), PRICE)).toList();
    }

    private SequencedMap<String, Entry> run(StudyFolder folder, String script, int jobs, int stopAfterPolls) throws IOException {
        Path file = Files.writeString(root.resolve("firn.sh"), "run=$5; mkdir -p $run\n" + script);
        int[] polls = {0};
        List<Training> trainings = jobs(jobs).stream().map(folder::training).toList();
        try (LocalExecutor executor = new LocalExecutor(List.of("bash", file.toString()), new Slots(2, 1, 1L << 40, ""), trainings)) {
            return new Scheduler(jobs(jobs).stream().map(Runs::task).toList(), folder.state(), executor,
                    (entries, _, _) -> folder.keep(entries)).run(() -> polls[0]++ >= stopAfterPolls);
        }
    }

    @Test
    void aCrashGoesOnFromWhereItStoodAndDoneRunsAreNotRepeated() throws IOException {
        try (StudyFolder folder = StudyFolder.open(root.resolve("study"), asked("3"))) {
            String script = """
                    echo start >> $run/starts
                    [ "$1 $2 $4 $6" = "train --config --output --resume" ] || exit 2
                    case $run in *run1) [ -e $run/first ] || { touch $run/first; kill -9 $$; };; esac
                    case $run in *run2) echo "firn: the loss is NaN at step 3"; exit 5;; esac
                    """;
            var entries = run(folder, script, 4, Integer.MAX_VALUE);
            assertThat(entries.get("run0")).matches(e -> e.status() == Entry.Status.DONE && e.attempts() == 1);
            assertThat(entries.get("run1")).matches(e -> e.status() == Entry.Status.DONE && e.attempts() == 2);
            assertThat(entries.get("run2")).matches(e -> e.status() == Entry.Status.FAILED && e.attempts() == 1
                    && e.problem().equals("exit 5: the loss is NaN at step 3"));
            assertThat(folder.state()).isEqualTo(entries);
            run(folder, script, 4, Integer.MAX_VALUE);
            assertThat(folder.run("run0").resolve("starts")).hasContent("start");
            assertThat(folder.run("run1").resolve("starts")).hasContent("start\nstart");
            assertThat(folder.run("run2").resolve("starts")).as("what failed is tried when asked again").hasContent("start\nstart");
        }
    }

    @Test
    void aStopIsPassedOnAndLeavesRunsWaiting() throws IOException {
        try (StudyFolder folder = StudyFolder.open(root.resolve("study"), asked("3"))) {
            var entries = run(folder, "trap 'exit 75' TERM; sleep 60 & wait\n", 3, 3);
            assertThat(entries.values()).allMatch(e -> e.status() == Entry.Status.WAITING);
            assertThat(run(folder, "exit 0\n", 3, Integer.MAX_VALUE).values()).allMatch(e -> e.status() == Entry.Status.DONE);
        }
    }

    @Test
    void aFolderHasOneStudyAndOneProcess() {
        Path study = root.resolve("study");
        try (StudyFolder folder = StudyFolder.open(study, asked("3"))) {
            assertThatThrownBy(() -> StudyFolder.open(study, asked("3"))).isInstanceOf(UserError.class)
                    .hasMessageContaining("is being run by another process");
            assertThat(folder.state()).isEmpty();
        }
        assertThatThrownBy(() -> StudyFolder.open(study, asked("5"))).isInstanceOf(UserError.class)
                .hasMessageContaining("--seeds 5 (was 3)").hasMessageContaining("another --output");
        assertThatThrownBy(() -> StudyFolder.open(root, asked("3"))).isInstanceOf(UserError.class)
                .hasMessageContaining("holds no study");
        StudyFolder.open(study, asked("3")).close();
    }

    @Test
    void aDamagedStateIsOneClearLine() throws IOException {
        try (StudyFolder folder = StudyFolder.open(root.resolve("study"), asked("3"))) {
            Files.writeString(folder.root().resolve("state.json"), "{\"run0\": {\"sta");
            assertThatThrownBy(folder::state).isInstanceOf(UserError.class).hasMessageContaining("state.json is damaged")
                    .extracting(e -> ((UserError) e).kind()).isEqualTo(UserError.Kind.DATA);
        }
    }
}
