package io.firn.study.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Schedules on simulated devices: good ones, and none that a device could not run. */
class SchedulerTest {
    private static final long GB = 1_000_000_000;
    private static final Scheduler.Watcher UNSEEN = (_, _, _) -> { };

    private static Task task(int i, double work, long bytes) {
        return new Task("run" + i, "group" + i, work, bytes);
    }

    static List<Device> devices(double... speeds) {
        return IntStream.range(0, speeds.length).mapToObj(d -> new Device("device" + d, speeds[d],
                new Pool("memory" + d, 80 * GB))).toList();
    }

    /** Seconds until all is done when tasks take {@code work}. */
    static double makespan(List<Task> tasks, List<Device> devices, ToDoubleFunction<Task> work, boolean isPaceTold) {
        Simulation simulation = new Simulation(devices, work, isPaceTold);
        var entries = new Scheduler(tasks, Map.of(), simulation, UNSEEN).run(() -> false);
        assertThat(entries.values()).allMatch(e -> e.status() == Entry.Status.DONE);
        return simulation.now();
    }

    @Test
    void packingIsNearlyOptimal() {
        Random random = new Random(1);
        double worst = 0;
        for (int round = 0; round < 60; round++) {
            List<Task> tasks = IntStream.range(0, 4 + round % 6).mapToObj(i -> task(i, 1 + 9 * random.nextDouble(), GB)).toList();
            List<Device> devices = round % 2 == 0 ? devices(1, 1, 1) : devices(1, 0.6, 0.3);
            double best = Baselines.optimal(tasks, devices);
            double packed = Packing.of(tasks.stream().map(t -> new Packing.Item(t, t.work())).toList(), devices,
                    new double[devices.size()], 0).makespan();
            assertThat(best).isGreaterThanOrEqualTo(LowerBound.of(tasks, devices) * (1 - 1e-9));
            assertThat(packed).isGreaterThanOrEqualTo(best * (1 - 1e-9));
            assertThat(makespan(tasks, devices, Task::work, true)).isGreaterThanOrEqualTo(best * (1 - 1e-9));
            worst = Math.max(worst, packed / best);
        }
        assertThat(worst).isLessThan(1.07);
    }

    @Test
    void aPackingEndsWhenItsLongestQueueDoes() {
        List<Device> devices = devices(2, 1);
        List<Packing.Item> items = IntStream.of(9, 4, 3, 2).mapToObj(w -> new Packing.Item(task(w, w, GB), w)).toList();
        Packing p = Packing.of(items, devices, new double[] {1, 0}, 0);
        assertThat(p.queues().stream().mapToInt(List::size).sum()).isEqualTo(4);
        double last = Math.max(1 + p.queues().get(0).stream().mapToDouble(Packing.Item::work).sum() / 2,
                p.queues().get(1).stream().mapToDouble(Packing.Item::work).sum());
        assertThat(p.makespan()).isEqualTo(last).isEqualTo(7);
    }

    @Test
    void devicesThatShareMemoryNeverExceedIt() {
        Pool shared = new Pool("machine", 10 * GB);
        List<Device> devices = IntStream.range(0, 4).mapToObj(d -> new Device("slot" + d, 1, shared)).toList();
        Random random = new Random(2);
        List<Task> tasks = IntStream.range(0, 40).mapToObj(i -> task(i, 1 + random.nextDouble(), (1 + random.nextInt(9)) * GB))
                .toList();
        assertThat(makespan(tasks, devices, Task::work, true)).isPositive();
    }

    @Test
    void whatFitsNowhereIsRefusedByName() {
        assertThatThrownBy(() -> new Scheduler(List.of(task(7, 1, 81 * GB)), Map.of(),
                new Simulation(devices(1), Task::work, true), UNSEEN)).isInstanceOf(UserError.class)
                .hasMessageContaining("run run7 needs 81.00 GB").hasMessageContaining("80.00 GB")
                .extracting(e -> ((UserError) e).kind()).isEqualTo(UserError.Kind.MEMORY);
    }

    @Test
    void whatIsDoneIsNotRunAgainAndAStopLeavesTheRestWaiting() {
        List<Task> tasks = IntStream.range(0, 10).mapToObj(i -> task(i, 10 + i, GB)).toList();
        int[] polls = {0};
        Map<String, Entry> left = new Scheduler(tasks, Map.of(), new Simulation(devices(1, 1), Task::work, true), UNSEEN)
                .run(() -> polls[0]++ >= 4);
        long done = left.values().stream().filter(e -> e.status() == Entry.Status.DONE).count();
        assertThat(done).isBetween(2L, 8L);
        assertThat(left.values()).allMatch(e -> e.status() == Entry.Status.DONE || e.status() == Entry.Status.WAITING);
        List<String> started = new ArrayList<>();
        Simulation second = new Simulation(devices(1, 1), t -> {
            started.add(t.name());
            return t.work();
        }, true);
        assertThat(new Scheduler(tasks, left, second, UNSEEN).run(() -> false).values())
                .allMatch(e -> e.status() == Entry.Status.DONE);
        assertThat(started).hasSize(10 - (int) done).allMatch(n -> left.get(n).status() != Entry.Status.DONE);
    }

    @Test
    void aCrashIsTriedOnceMoreAndDivergenceIsNot() {
        List<Task> tasks = List.of(task(0, 1, GB), task(1, 1, GB), task(2, 1, GB));
        Map<String, Integer> starts = new HashMap<>();
        Executor broken = new Executor() {
            private final List<Event> events = new ArrayList<>();

            @Override
            public List<Device> devices() {
                return SchedulerTest.devices(1);
            }

            @Override
            public double now() {
                return 0;
            }

            @Override
            public void start(Task task, Device device) {
                int n = starts.merge(task.name(), 1, Integer::sum);
                events.add(switch (task.name()) {
                    case "run0" -> n == 1 ? new Event.Failed("run0", "crashed", true) : new Event.Finished("run0");
                    case "run1" -> new Event.Failed("run1", "crashed", true);
                    default -> new Event.Failed("run2", "diverged", false);
                });
            }

            @Override
            public List<Event> await() {
                List<Event> now = List.copyOf(events);
                events.clear();
                return now;
            }

            @Override
            public void stop() {
            }

            @Override
            public void close() {
            }
        };
        var entries = new Scheduler(tasks, Map.of(), broken, UNSEEN).run(() -> false);
        assertThat(starts).isEqualTo(Map.of("run0", 2, "run1", 2, "run2", 1));
        assertThat(entries.get("run0").status()).isEqualTo(Entry.Status.DONE);
        assertThat(entries.get("run1")).isEqualTo(new Entry(Entry.Status.FAILED, 2, 0, "device0", "crashed"));
        assertThat(entries.get("run2")).isEqualTo(new Entry(Entry.Status.FAILED, 1, 0, "device0", "diverged"));
    }

    @Test
    void measurementsCorrectTheirGroupFirstAndTheOthersToo() {
        Task a = new Task("a0", "a", 10, 1);
        Task b = new Task("b0", "b", 10, 1);
        Corrections c = new Corrections();
        assertThat(c.work(a)).isEqualTo(10);
        c.measured(a, 2, 10);
        assertThat(c.work(a)).isEqualTo(20);
        assertThat(c.work(b)).isEqualTo(20);
        c.measured(b, 1, 10);
        assertThat(c.work(a)).isEqualTo(17.5);
        assertThat(c.work(b)).isEqualTo(12.5);
    }
}
