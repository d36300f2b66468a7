package io.firn.study.schedule;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.ToDoubleFunction;

/**
 * Devices on a clock of their own, on which a task takes what it is told to take. It reports like real runs do: an even pace
 * whenever something ends. What no device could do fails loudly: two tasks at once, or more memory than there is.
 */
final class Simulation implements Executor {
    private final List<Device> devices;
    private final ToDoubleFunction<Task> work;
    private final boolean isPaceTold;
    private final Map<Device, Task> busy = new HashMap<>();
    private final Map<Pool, Long> used = new HashMap<>();
    private final PriorityQueue<Run> runs = new PriorityQueue<>((a, b) -> Double.compare(a.end, b.end));
    private final List<Event> stopped = new ArrayList<>();
    private double now;

    private record Run(Task task, Device device, double start, double end) {
    }

    /**
     * Devices that simulate.
     *
     * @param work       what a task really takes on a device of speed 1
     * @param isPaceTold whether running tasks tell how far they are
     */
    Simulation(List<Device> devices, ToDoubleFunction<Task> work, boolean isPaceTold) {
        this.devices = List.copyOf(devices);
        this.work = work;
        this.isPaceTold = isPaceTold;
    }

    @Override
    public List<Device> devices() {
        return devices;
    }

    @Override
    public double now() {
        return now;
    }

    @Override
    public void start(Task task, Device device) {
        if (busy.putIfAbsent(device, task) != null) {
            throw new AssertionError(device.name() + " runs another task already");
        }
        if (used.merge(device.pool(), task.bytes(), Long::sum) > device.pool().memory()) {
            throw new AssertionError(task.name() + " does not fit into what is left of " + device.pool().name());
        }
        runs.add(new Run(task, device, now, now + work.applyAsDouble(task) / device.speed()));
    }

    @Override
    public List<Event> await() {
        List<Event> events = new ArrayList<>(stopped);
        stopped.clear();
        if (events.isEmpty()) {
            Run first = runs.remove();
            now = first.end;
            free(first);
            events.add(new Event.Finished(first.task.name()));
        }
        if (isPaceTold) {
            runs.forEach(r -> events.add(new Event.Progressed(r.task.name(), (now - r.start) / (r.end - r.start), "")));
        }
        return events;
    }

    private void free(Run run) {
        busy.remove(run.device);
        used.merge(run.device.pool(), -run.task.bytes(), Long::sum);
    }

    @Override
    public void stop() {
        runs.forEach(this::free);
        runs.forEach(r -> stopped.add(new Event.Stopped(r.task.name())));
        runs.clear();
    }

    @Override
    public void close() {
    }
}
