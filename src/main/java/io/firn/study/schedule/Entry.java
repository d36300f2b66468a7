package io.firn.study.schedule;

import com.fasterxml.jackson.annotation.JsonInclude;

/**
 * Where one task of a study stands.
 *
 * @param attempts how often it was started after a failure, 1 for the first
 * @param seconds  that it has run, all starts together
 * @param device   where it runs or ran last; empty before
 * @param problem  why it failed, in one line; empty where it did not
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record Entry(Status status, int attempts, double seconds, String device, String problem) {
    public static final Entry NEW = new Entry(Status.WAITING, 0, 0, "", "");

    public Entry {
        device = device == null ? "" : device;
        problem = problem == null ? "" : problem;
    }

    /** Of a task. */
    public enum Status {
        WAITING, RUNNING, DONE, FAILED
    }

    Entry started(String on) {
        return new Entry(Status.RUNNING, Math.max(1, attempts), seconds, on, "");
    }

    Entry done(double more) {
        return new Entry(Status.DONE, attempts, seconds + more, device, "");
    }

    /** It waits to go on from its checkpoint. */
    Entry waiting(double more) {
        return new Entry(Status.WAITING, attempts, seconds + more, device, "");
    }

    /** It failed, and is tried once more where that may help. */
    Entry failed(double more, String why, boolean again) {
        return again && attempts < 2 ? new Entry(Status.WAITING, attempts + 1, seconds + more, device, why)
                : new Entry(Status.FAILED, attempts, seconds + more, device, why);
    }

    /** As a new process finds it: what ran when the last one ended waits, what failed gets its two tries again. */
    public Entry reopened() {
        return switch (status) {
            case DONE, WAITING -> this;
            case RUNNING -> new Entry(Status.WAITING, attempts, seconds, device, problem);
            case FAILED -> new Entry(Status.WAITING, 0, seconds, device, "");
        };
    }
}
