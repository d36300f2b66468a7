package io.firn.plan;

import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * How much of the scratch arena is in use at each launch of a step: every buffer that was written and will still be read,
 * and the launch's own workspace. Values that take over each other's place count once.
 */
final class LiveMemory {
    private LiveMemory() {
    }

    private record Life(int first, int last, long start, long end) {
    }

    /** Bytes at each of the plan's launches, padding to {@link Buffer#ALIGNMENT} included. */
    static List<Long> of(Plan plan) {
        int steps = plan.launches().size();
        // Inputs, and what is prepared once, are there from the start.
        Map<Value, Integer> first = new HashMap<>();
        Map<Value, Integer> last = new HashMap<>();
        plan.graph().inputs().forEach(v -> last.put(v, steps));
        for (int i = 0; i < steps; i++) {
            for (Value v : plan.launches().get(i).subgraph().inputs()) {
                last.merge(v, first.containsKey(v) ? i : steps, Math::max);
            }
            for (Value v : plan.launches().get(i).subgraph().outputs()) {
                first.put(v, i);
                last.put(v, i);
            }
        }
        plan.graph().outputs().values().forEach(v -> last.put(v, steps));
        List<Life> lives = new ArrayList<>();
        last.forEach((v, end) -> {
            Buffer b = plan.buffers().get(v);
            if (b.arena() == Buffer.Arena.SCRATCH) {
                lives.add(new Life(first.getOrDefault(v, 0), end, b.offset(), Buffer.align(b.end())));
            }
        });
        lives.sort(Comparator.comparingLong(Life::start));
        return IntStream.range(0, steps).mapToObj(i -> covered(lives.stream().filter(l -> l.first <= i && i <= l.last))
                + Buffer.align(plan.launches().get(i).workspace())).toList();
    }

    /** Bytes in at least one of the ranges, which come by their start. */
    private static long covered(Stream<Life> lives) {
        long sum = 0;
        long end = 0;
        for (Life l : (Iterable<Life>) lives::iterator) {
            sum += Math.max(0, l.end - Math.max(end, l.start));
            end = Math.max(end, l.end);
        }
        return sum;
    }
}
