package io.firn.study;

import io.firn.error.UserError;
import io.firn.study.schedule.Entry;
import io.firn.study.schedule.Executor;
import io.firn.study.schedule.LowerBound;
import io.firn.study.schedule.Scheduler;
import io.firn.study.schedule.Task;
import io.firn.train.Signals;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/** Carries out a study's trainings. */
final class Runs {
    private final StudyFolder folder;
    private final StudyRequest request;
    private final Slots slots;
    private final Signals signals;

    Runs(StudyFolder folder, StudyRequest request, Slots slots, Signals signals) {
        this.folder = folder;
        this.request = request;
        this.slots = slots;
        this.signals = signals;
    }

    /** A training as a task. */
    static Task task(Job job) {
        return new Task(job.name(), job.group(), Math.max(1e-3, job.price().seconds()), job.price().bytes() + Slots.PROCESS);
    }

    /**
     * Runs what is not done yet.
     *
     * @return where each stands: done or failed
     * @throws UserError (stopped) where a signal came
     */
    SequencedMap<String, Entry> run(List<Job> jobs) {
        List<Task> tasks = jobs.stream().map(Runs::task).toList();
        SequencedMap<String, Entry> entries;
        try (Executor executor = request.site().open(slots, folder.root().toAbsolutePath(),
                jobs.stream().map(folder::training).toList())) {
            Scheduler scheduler = new Scheduler(tasks, folder.state(), executor, new Board(folder, request.log()));
            request.say(String.format(Locale.ROOT, "%d runs, %d at a time with %d threads each; predicted %s at least",
                    jobs.size(), slots.count(), slots.threads(), Board.time(LowerBound.of(tasks, executor.devices()))));
            entries = scheduler.run(signals::requested);
        }
        stopIfAsked();
        return entries;
    }

    void stopIfAsked() {
        if (signals.requested()) {
            throw new UserError(UserError.Kind.STOPPED, "%s: stopped, and every run has its checkpoint; run the same command "
                    .formatted(signals.name()) + "again to go on");
        }
    }
}
