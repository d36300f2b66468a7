package io.firn.study;

import io.firn.error.UserError;
import java.util.List;
import java.util.Locale;

/**
 * How a {@link Site} is divided among a study's runs.
 *
 * @param count   runs at a time
 * @param threads of each
 * @param memory  bytes that a run may have where there are the most
 * @param where   those are, for people
 */
public record Slots(int count, int threads, long memory, String where) {

    /** What a process takes beside its training's plan: Java, its code, and a small data set in memory. */
    static final long PROCESS = 400L << 20;

    /**
     * Refuses a run that would not fit if it were alone.
     *
     * @throws UserError (memory) that names it
     */
    void check(List<Job> jobs) {
        for (Job j : jobs) {
            long bytes = Runs.task(j).bytes();
            if (bytes > memory) {
                throw UserError.memory("run %s needs %s of memory, and %s %s; lower --batch or --resolution, or leave that net "
                        + "out", j.name(), gigabytes(bytes), where, gigabytes(memory));
            }
        }
    }

    private static String gigabytes(long bytes) {
        return String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
    }
}
