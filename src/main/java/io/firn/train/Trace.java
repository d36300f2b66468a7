package io.firn.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.files.AtomicFile;
import io.firn.plan.Launch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * When each launch of some steps ran, as a file of Chrome's trace event format, which chrome://tracing and Perfetto show: a
 * bar for each launch, coloured by phase, with its kernel, FLOPs and bytes; one row for each of the device's streams.
 */
final class Trace {
    private static final double NANOS_A_MICRO = 1e3;
    private final List<Event> traceEvents = new ArrayList<>();
    private long base;
    private long last;

    /** A complete event ({@code ph} X): times in microseconds. */
    private record Event(String name, String cat, String ph, double ts, double dur, int pid, int tid,
                         Map<String, Object> args) {
    }

    private record Document(List<Event> traceEvents, String displayTimeUnit) {
    }

    /** Places the launches that follow behind those before them, whatever zero their clock has. */
    void startPlan() {
        base = last;
    }

    /**
     * A launch that ran.
     *
     * @param start nanoseconds since the plan's start, as {@code end}
     */
    void add(int step, Launch l, long start, long end) {
        last = Math.max(last, base + end);
        traceEvents.add(new Event(l.name(), l.phase().label(), "X", (base + start) / NANOS_A_MICRO,
                (end - start) / NANOS_A_MICRO, 1, l.stream(), Map.of("step", step, "op", l.op(), "kernel",
                l.kernel().toString(), "flops", l.flops(), "bytes", l.bytes(), "predicted_ms", l.predictedMs())));
    }

    /** @throws io.firn.error.UserError where the file cannot be written */
    void write(Path file) {
        try {
            AtomicFile.write(file, JsonMapper.builder().build().writeValueAsBytes(new Document(traceEvents, "ns")));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
