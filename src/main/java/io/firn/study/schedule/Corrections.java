package io.firn.study.schedule;

import java.util.HashMap;
import java.util.Map;

/**
 * Predictions corrected by what was measured. A group's factor is measured over predicted time of its runs, to which the
 * factor of all runs together counts as one run more: a first measurement moves it half of the way, and a group that was
 * not measured yet goes by the others.
 */
final class Corrections {
    private static final class Sum {
        private double measured;
        private double predicted;
        private int runs;

        void add(double measuredSeconds, double predictedSeconds) {
            measured += measuredSeconds;
            predicted += predictedSeconds;
            runs++;
        }
    }

    /** What is thought of predictions before anything was measured, which counts as one measurement. */
    private static final double FIRST_OVERRUN = 0.2;

    private final Sum all = new Sum();
    private final Map<String, Sum> groups = new HashMap<>();
    /** Sum of the shares by which corrected predictions were wrong. */
    private double missed;

    /** A run took {@code seconds} on a device of that speed. */
    void measured(Task task, double speed, double seconds) {
        missed += Math.abs(seconds * speed / work(task) - 1);
        all.add(seconds * speed, task.work());
        groups.computeIfAbsent(task.group(), _ -> new Sum()).add(seconds * speed, task.work());
    }

    /** Seconds on a device of speed 1. */
    double work(Task task) {
        double common = all.runs == 0 ? 1 : all.measured / all.predicted;
        Sum group = groups.get(task.group());
        if (group == null) {
            return task.work() * common;
        }
        double one = group.predicted / group.runs;
        return task.work() * (group.measured + common * one) / (group.predicted + one);
    }

    /** By what share a run may take longer than it is predicted to: twice the mean miss, which spans what is spread evenly. */
    double overrun() {
        return (FIRST_OVERRUN + 2 * missed) / (1 + all.runs);
    }
}
