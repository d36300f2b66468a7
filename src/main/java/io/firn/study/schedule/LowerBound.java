package io.firn.study.schedule;

import java.util.List;

/**
 * The time that no schedule can beat, however clever: the larger of
 * <ul>
 * <li>the longest task on the fastest device that has the memory for it, and</li>
 * <li>for every amount of memory, the work of all tasks that need at least as much over the speeds of all devices that have
 * at least as much. (For the least amount that is all work over all speeds.)</li>
 * </ul>
 * It lets tasks be divided at will, so that even the best schedule may be above it.
 */
public final class LowerBound {
    private LowerBound() {
    }

    /** Seconds, for tasks whose {@link Task#work} is what they really take. Each fits a device. */
    public static double of(List<Task> tasks, List<Device> devices) {
        double bound = 0;
        for (Task t : tasks) {
            double fastest = devices.stream().filter(d -> d.holds(t)).mapToDouble(Device::speed).max().orElseThrow();
            bound = Math.max(bound, t.work() / fastest);
        }
        for (long needed : tasks.stream().mapToLong(Task::bytes).distinct().toArray()) {
            double work = tasks.stream().filter(t -> t.bytes() >= needed).mapToDouble(Task::work).sum();
            double speed = devices.stream().filter(d -> d.pool().memory() >= needed).mapToDouble(Device::speed).sum();
            bound = Math.max(bound, work / speed);
        }
        return bound;
    }
}
