package io.firn.study;

import io.firn.backend.HostMemory;
import io.firn.error.UserError;
import io.firn.study.schedule.Executor;
import java.nio.file.Path;
import java.util.List;

/**
 * This machine, a process a run. Small nets gain more from a run beside them than from a second thread.
 *
 * @param jobs runs at a time; 0 for as many as there are cores, or fewer where there are fewer runs
 * @param firn the words that start Firn
 */
public record LocalSite(int jobs, List<String> firn) implements Site {
    public LocalSite {
        firn = List.copyOf(firn);
    }

    @Override
    public Slots slots(int runs) {
        int cores = Runtime.getRuntime().availableProcessors();
        if (jobs < 0 || jobs > cores) {
            throw UserError.usage("--jobs %d: must be from 1 to the %d cores of this machine", jobs, cores);
        }
        int count = jobs == 0 ? Math.min(cores, runs) : jobs;
        return new Slots(count, Math.max(1, cores / count), HostMemory.available(), "free on this machine are");
    }

    @Override
    public Executor open(Slots slots, Path study, List<Training> trainings) {
        return new LocalExecutor(firn, slots, trainings);
    }
}
