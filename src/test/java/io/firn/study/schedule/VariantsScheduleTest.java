package io.firn.study.schedule;

import static io.firn.study.schedule.SchedulerTest.makespan;
import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaTarget;
import io.firn.plan.Target;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Eight EfficientNets of five seeds each, as planned for an H100 ({@link Planned}), on devices of several kinds whose times nobody knows exactly. */
class VariantsScheduleTest {
    private static final int SEEDS = 5;
    private static final double NOISE = 0.2;
    private static final List<Task> TASKS = new ArrayList<>();

    @BeforeAll
    static void read() throws IOException {
        for (Planned p : Planned.read()) {
            IntStream.range(0, SEEDS).forEach(s -> TASKS.add(new Task(p.model() + "-seed" + s, p.model(), p.seconds(),
                    p.bytes())));
        }
    }

    /** Of that kind; speeds relative to an H100 by bandwidth, which bounds both families. */
    private static Device device(String kind, int number) {
        Target target = CudaTarget.of(kind, _ -> List.of());
        double speed = target.rates().bandwidth() / CudaTarget.of("h100", _ -> List.of()).rates().bandwidth();
        return new Device(kind + "." + number, speed, new Pool(kind + "." + number, ((Target.Device.Gpu) target.device()).memory()));
    }

    private static void staysWithinTenPercent(List<Device> devices) {
        assertThat(TASKS).as("some runs need more than the smallest device has").anyMatch(t -> devices.stream().anyMatch(d -> !d.holds(t)));
        for (int round = 0; round < 20; round++) {
            Random random = new Random(round);
            Map<String, Double> real = new HashMap<>();
            TASKS.forEach(t -> real.put(t.name(), t.work() * (1 + NOISE * (2 * random.nextDouble() - 1))));
            double bound = LowerBound.of(TASKS.stream().map(t -> new Task(t.name(), t.group(), real.get(t.name()), t.bytes()))
                    .toList(), devices);
            double reached = makespan(TASKS, devices, t -> real.get(t.name()), true);
            assertThat(reached / bound).as("makespan over its lower bound, round %d", round).isBetween(1 - 1e-9, 1.1);
        }
    }

    @Test
    void onThreeMixedDevices() {
        staysWithinTenPercent(List.of(device("h100", 0), device("a100", 0), device("l4", 0)));
    }

    @Test
    void onEightMixedDevices() {
        staysWithinTenPercent(List.of(device("h200", 0), device("h100", 0), device("h100", 1), device("a100", 0),
                device("a100", 1), device("l40s", 0), device("l4", 0), device("l4", 1)));
    }
}
