package io.firn.study.schedule;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** What schedules are measured by: first come, first served, and for few tasks the best there is. */
final class Baselines {
    private Baselines() {
    }

    /** Each task in the order given, on the device that is free the earliest of those with the memory. */
    static double firstCome(List<Task> tasks, List<Device> devices) {
        double[] free = new double[devices.size()];
        for (Task t : tasks) {
            int first = -1;
            for (int d = 0; d < free.length; d++) {
                if (devices.get(d).holds(t) && (first < 0 || free[d] < free[first])) {
                    first = d;
                }
            }
            free[first] += t.work() / devices.get(first).speed();
        }
        return Arrays.stream(free).max().orElse(0);
    }

    /** The least makespan, by branch and bound: every task on every device, longest first. */
    static double optimal(List<Task> tasks, List<Device> devices) {
        List<Task> longestFirst = tasks.stream().sorted(Comparator.comparingDouble(Task::work).reversed()).toList();
        double[] best = {firstCome(longestFirst, devices) + 1e-9};
        double bound = LowerBound.of(tasks, devices);
        branch(longestFirst, devices, 0, new double[devices.size()], best, bound);
        return best[0];
    }

    private static void branch(List<Task> tasks, List<Device> devices, int at, double[] load, double[] best, double bound) {
        double most = Arrays.stream(load).max().orElse(0);
        if (most >= best[0] || best[0] <= bound * (1 + 1e-12)) {
            return;
        }
        if (at == tasks.size()) {
            best[0] = most;
            return;
        }
        Task t = tasks.get(at);
        double rest = tasks.subList(at, tasks.size()).stream().mapToDouble(Task::work).sum();
        double done = 0;
        double speed = 0;
        for (int d = 0; d < load.length; d++) {
            done += load[d] * devices.get(d).speed();
            speed += devices.get(d).speed();
        }
        if ((done + rest) / speed >= best[0]) {
            return;
        }
        for (int d = 0; d < load.length; d++) {
            if (devices.get(d).holds(t)) {
                double before = load[d];
                load[d] += t.work() / devices.get(d).speed();
                branch(tasks, devices, at + 1, load, best, bound);
                load[d] = before;
            }
        }
    }
}
