package io.firn.study.schedule;

import io.firn.error.UserError;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;

/**
 * Runs a table of tasks to its end: packs them onto devices ({@link Packing}), starts what is due, and packs what is left
 * again as runs report how they get on, since predictions are wrong by some. A crash is tried once more.
 */
public final class Scheduler {
    /** From this share of a run on, what it took so far tells better than the prediction how long it will take. */
    private static final double TELLING = 0.02;
    /** Up to this many pairs of tasks and devices, all is packed again whenever a device is free. */
    private static final long SMALL = 50_000;

    private final SequencedMap<String, Task> tasks = new LinkedHashMap<>();
    private final SequencedMap<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, Running> running = new HashMap<>();
    private final Map<Pool, Long> used = new HashMap<>();
    private final Corrections corrections = new Corrections();
    private final Executor executor;
    private final List<Device> devices;
    private final Watcher watcher;
    private List<List<Packing.Item>> queues = List.of();
    private int endedSincePacking;
    private double secondsLeft;

    /** A task on a device. */
    private static final class Running {
        private final Task task;
        private final int device;
        private double since;
        private final boolean isWhole;
        private double share;
        private String said = "";

        Running(Task task, int device, double since, boolean isWhole) {
            this.task = task;
            this.device = device;
            this.since = since;
            this.isWhole = isWhole;
        }
    }

    /** A running task for people: the share that is done, and what it said last. */
    public record Progress(double share, String said) {
    }

    /** Is told whenever something changed. */
    @FunctionalInterface
    public interface Watcher {

        /**
         * @param secondsLeft until all is done, as predicted now
         */
        void changed(SequencedMap<String, Entry> entries, Map<String, Progress> running, double secondsLeft);
    }

    /**
     * A scheduler of tasks.
     *
     * @param before where they stand already, by name; what is done is not run again
     * @throws UserError (memory) where a task has more memory than any device
     */
    public Scheduler(List<Task> tasks, Map<String, Entry> before, Executor executor, Watcher watcher) {
        this.executor = executor;
        this.watcher = watcher;
        devices = executor.devices();
        for (Task t : tasks) {
            if (devices.stream().noneMatch(d -> d.holds(t))) {
                Pool largest = devices.stream().map(Device::pool).reduce((a, b) -> a.memory() >= b.memory() ? a : b)
                        .orElseThrow();
                throw UserError.memory("run %s needs %.2f GB of memory, and the most that a device has is %.2f GB (%s); lower "
                        + "--batch or --resolution, or leave that network out", t.name(), t.bytes() / 1e9,
                        largest.memory() / 1e9, largest.name());
            }
            this.tasks.put(t.name(), t);
            entries.put(t.name(), before.getOrDefault(t.name(), Entry.NEW).reopened());
        }
    }

    /**
     * Runs until all tasks are done or have failed, or until it is told to stop.
     *
     * @param stop whether to end with all that runs in a state that it can go on from
     * @return where each task stands
     */
    public SequencedMap<String, Entry> run(BooleanSupplier stop) {
        boolean stopping = false;
        while (true) {
            if (!stopping && stop.getAsBoolean()) {
                stopping = true;
                executor.stop();
            }
            if (!stopping) {
                startWhatIsDue();
            }
            watcher.changed(entries, progress(), secondsLeft);
            if (running.isEmpty()) {
                return entries;
            }
            executor.await().forEach(this::handle);
        }
    }

    private Map<String, Progress> progress() {
        Map<String, Progress> all = new HashMap<>();
        running.forEach((name, r) -> all.put(name, new Progress(r.share, r.said)));
        return all;
    }

    private void handle(Event event) {
        Running r = running.get(event.task());
        switch (event) {
            case Event.Progressed p -> {
                r.share = p.share();
                r.said = p.said();
            }
            case Event.Queued q -> {
                r.since = executor.now();
                r.said = q.why();
            }
            case Event.Finished _ -> {
                double seconds = end(r);
                if (r.isWhole) {
                    corrections.measured(r.task, devices.get(r.device).speed(), seconds);
                }
                entries.computeIfPresent(event.task(), (_, e) -> e.done(seconds));
            }
            case Event.Stopped _ -> {
                double seconds = end(r);
                entries.computeIfPresent(event.task(), (_, e) -> e.waiting(seconds));
            }
            case Event.Failed f -> {
                double seconds = end(r);
                entries.computeIfPresent(event.task(), (_, e) -> e.failed(seconds, f.reason(), f.again()));
            }
        }
    }

    private double end(Running r) {
        running.remove(r.task.name());
        used.merge(devices.get(r.device).pool(), -r.task.bytes(), Long::sum);
        endedSincePacking++;
        return executor.now() - r.since;
    }

    private void startWhatIsDue() {
        List<Packing.Item> waiting = entries.entrySet().stream().filter(e -> e.getValue().status() == Entry.Status.WAITING)
                .map(e -> tasks.get(e.getKey())).map(t -> new Packing.Item(t, corrections.work(t))).toList();
        boolean[] busy = new boolean[devices.size()];
        running.values().forEach(r -> busy[r.device] = true);
        if (needsPacking(waiting, busy)) {
            pack(waiting);
        } else if (waiting.isEmpty()) {
            secondsLeft = running.values().stream().mapToDouble(this::left).max().orElse(0);
        }
        for (int d = 0; d < busy.length && !queues.isEmpty(); d++) {
            if (!busy[d]) {
                startNext(d);
            }
        }
    }

    private boolean needsPacking(List<Packing.Item> waiting, boolean[] busy) {
        if (waiting.isEmpty()) {
            return false;
        }
        boolean hasIdle = false;
        boolean hasFree = false;
        for (int d = 0; d < busy.length; d++) {
            hasFree |= !busy[d];
            hasIdle |= !busy[d] && (queues.isEmpty() || queues.get(d).isEmpty());
        }
        return hasIdle || hasFree && ((long) waiting.size() * busy.length <= SMALL || endedSincePacking > busy.length / 10);
    }

    private void pack(List<Packing.Item> waiting) {
        double[] free = new double[devices.size()];
        running.values().forEach(r -> free[r.device] = left(r));
        Packing packing = Packing.of(waiting, devices, free, corrections.overrun());
        queues = packing.queues();
        secondsLeft = Math.max(packing.makespan(), running.values().stream().mapToDouble(this::left).max().orElse(0));
        endedSincePacking = 0;
    }

    /** Seconds until a running task is done: by its own pace where that is known. */
    private double left(Running r) {
        double elapsed = executor.now() - r.since;
        double predicted = corrections.work(r.task) / devices.get(r.device).speed();
        return r.share >= TELLING && r.isWhole ? elapsed * (1 - r.share) / r.share
                : Math.max(predicted * (1 - r.share) - (r.share > 0 ? 0 : elapsed), predicted * 0.02);
    }

    /** Starts the first of a device's queue for which there is memory now. */
    private void startNext(int d) {
        Device device = devices.get(d);
        long left = device.pool().memory() - used.getOrDefault(device.pool(), 0L);
        for (Packing.Item item : new ArrayList<>(queues.get(d))) {
            Task task = item.task();
            if (task.bytes() <= left) {
                queues.get(d).remove(item);
                Entry before = entries.get(task.name());
                used.merge(device.pool(), task.bytes(), Long::sum);
                running.put(task.name(), new Running(task, d, executor.now(), before.seconds() == 0));
                entries.put(task.name(), before.started(device.name()));
                executor.start(task, device);
                return;
            }
        }
    }
}
