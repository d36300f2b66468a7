package io.firn.study;

import io.firn.backend.HostMemory;
import io.firn.error.UserError;
import java.util.List;

/**
 * How this machine is divided. Small nets gain more from a run beside them than from a second thread.
 *
 * @param count   runs at a time
 * @param threads of each
 * @param memory  bytes of all together
 */
record Slots(int count, int threads, long memory) {

    /** What a process takes beside its training's plan: Java, its code, and a small data set in memory. */
    static final long PROCESS = 400L << 20;

    /**
     * Slots for that many runs.
     *
     * @param asked 0 to choose
     */
    static Slots of(int asked, int runs) {
        int cores = Runtime.getRuntime().availableProcessors();
        if (asked < 0 || asked > cores) {
            throw UserError.usage("--jobs %d: must be from 1 to the %d cores of this machine", asked, cores);
        }
        int count = asked == 0 ? Math.min(cores, runs) : asked;
        return new Slots(count, Math.max(1, cores / count), HostMemory.available());
    }

    /**
     * Refuses a run that would not fit if it were alone.
     *
     * @throws UserError (memory) that names it
     */
    void check(List<Job> jobs) {
        for (Job j : jobs) {
            long bytes = j.price().bytes() + PROCESS;
            if (bytes > memory) {
                throw UserError.memory("run %s needs %.2f GB of memory, and %.2f GB are free; lower --batch or --resolution, or leave "
                        + "that net out", j.name(), bytes / 1e9, memory / 1e9);
            }
        }
    }
}
