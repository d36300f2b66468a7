package io.firn.study.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.files.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Simulated schedules beside the lower bound, the best there is and first come, first served. The table that it makes is kept
 * in {@code benchmarks/scheduler}, and has to be the one that is there; {@code -Dfirn.write=true} writes it anew.
 */
@Tag("slow")
class SchedulerBenchmarkTest {
    private static final Path FILE = Path.of("benchmarks/scheduler/results.md");
    private static final double NOISE = 0.2;

    /** Work spread log-evenly over a factor of 30, as the variants of a family are. */
    private static List<Task> tasks(int n, Random random) {
        return IntStream.range(0, n).mapToObj(i -> new Task("run" + i, "group" + i / 5, Math.pow(30, random.nextDouble()),
                (long) (random.nextDouble() * 60e9))).toList();
    }

    private static List<Device> devices(int n) {
        double[] speeds = {1, 0.58, 1.4};
        long[] memory = {80_000_000_000L, 80_000_000_000L, 141_000_000_000L};
        return IntStream.range(0, n).mapToObj(d -> new Device("device" + d, speeds[d % 3],
                new Pool("memory" + d, memory[d % 3]))).toList();
    }

    private record Ratios(List<Double> packed, List<Double> blind, List<Double> firstCome, List<Double> best) {
        Ratios() {
            this(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }
    }

    private static void simulate(int runs, List<Device> devices, int rounds, boolean isSmall, Ratios to) {
        for (int round = 0; round < rounds; round++) {
            Random random = new Random(1000L * devices.size() + runs + round);
            List<Task> predicted = tasks(runs, random);
            Map<String, Double> real = new HashMap<>();
            predicted.forEach(t -> real.put(t.name(), t.work() * (1 + NOISE * (2 * random.nextDouble() - 1))));
            List<Task> really = predicted.stream().map(t -> new Task(t.name(), t.group(), real.get(t.name()), t.bytes())).toList();
            double bound = LowerBound.of(really, devices);
            to.packed.add(SchedulerTest.makespan(predicted, devices, t -> real.get(t.name()), true) / bound);
            to.blind.add(SchedulerTest.makespan(predicted, devices, t -> real.get(t.name()), false) / bound);
            List<Task> shuffled = new ArrayList<>(really);
            Collections.shuffle(shuffled, random);
            to.firstCome.add(Baselines.firstCome(shuffled, devices) / bound);
            if (isSmall) {
                to.best.add(Baselines.optimal(really, devices) / bound);
            }
        }
    }

    private static String cell(List<Double> ratios) {
        return ratios.isEmpty() ? "–" : String.format(Locale.ROOT, "%.3f (%.3f)",
                ratios.stream().mapToDouble(r -> r).average().orElseThrow(), ratios.stream().mapToDouble(r -> r).max().orElseThrow());
    }

    private static String row(int devices, int runs, int rounds, boolean isSmall) {
        Ratios r = new Ratios();
        simulate(runs, devices(devices), rounds, isSmall, r);
        assertThat(r.packed).allMatch(v -> v >= 1 - 1e-9);
        return "| %,d | %,d | %d | %s | %s | %s | %s |".formatted(devices, runs, rounds, cell(r.packed), cell(r.blind),
                cell(r.best), cell(r.firstCome));
    }

    @Test
    void theTableIsTheOneThatIsKept() throws IOException {
        String table = String.join("\n", List.of(
                "| devices | runs | rounds | scheduler | without pace | best there is | first come |",
                "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
                row(1, 8, 20, true), row(3, 9, 20, true), row(3, 40, 20, false), row(8, 40, 20, false), row(64, 320, 5, false),
                row(1000, 5000, 1, false))) + "\n";
        if (Boolean.getBoolean("firn.write")) {
            AtomicFile.write(FILE, table.getBytes(StandardCharsets.UTF_8));
        }
        assertThat(Files.readString(FILE)).isEqualTo(table);
    }
}
