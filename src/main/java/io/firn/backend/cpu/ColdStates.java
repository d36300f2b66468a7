package io.firn.backend.cpu;

import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Which states no step of a program touches: of frozen weights, steps read the copies that were prepared from them when
 * their plan was entered.
 */
final class ColdStates {
    private ColdStates() {
    }

    /** Bytes of an arena from one offset up to another. */
    record Range(long from, long to) {
        long bytes() {
            return to - from;
        }

        boolean overlaps(long start, long end) {
            return from < end && start < to;
        }

        /** What of it fills whole units of that many bytes; may be nothing or less. */
        Range within(long unit) {
            return new Range(Math.ceilDiv(from, unit) * unit, Math.floorDiv(to, unit) * unit);
        }
    }

    /** Their names: no launch of a step reads or writes a byte of them, and none that prepares writes one. */
    static Set<String> of(Program program) {
        List<Buffer> touched = touched(program).toList();
        Set<String> cold = new HashSet<>();
        program.state().buffers().forEach((name, b) -> {
            Range state = new Range(b.offset(), b.end());
            if (touched.stream().noneMatch(t -> state.overlaps(t.offset(), t.end()))) {
                cold.add(name);
            }
        });
        return cold;
    }

    private static Stream<Buffer> touched(Program program) {
        return program.plans().stream().flatMap(p -> Stream.of(
                p.launches().stream().map(Launch::inputs).flatMap(List::stream),
                p.launches().stream().map(Launch::outputs).flatMap(List::stream),
                p.prepare().stream().map(Launch::outputs).flatMap(List::stream),
                p.graph().updates().values().stream().map(p.buffers()::get)).flatMap(s -> s))
                .filter(b -> b.arena() == Buffer.Arena.STATE).distinct();
    }

    /** Where they lie, with the padding between them: those that follow each other are one range. */
    static List<Range> ranges(Program program) {
        Set<String> cold = of(program);
        List<Range> ranges = new ArrayList<>();
        program.state().buffers().forEach((name, b) -> {
            if (cold.contains(name)) {
                boolean follows = !ranges.isEmpty() && Buffer.align(ranges.getLast().to) == b.offset();
                ranges.add(new Range(follows ? ranges.removeLast().from : b.offset(), b.end()));
            }
        });
        return ranges;
    }
}
