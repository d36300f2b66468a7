package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Value;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;

/**
 * A compiled step: launches in order, every byte of their operands laid out.
 *
 * @param name      {@code train} or {@code evaluate}
 * @param graph     what the step computes, after all passes
 * @param prepare   launches that depend on states alone which this plan does not change, such as folded weights:
 *                  run once when the plan is entered
 * @param launches  run every step
 * @param buffers   where each value lies that reaches memory
 * @param scratch   bytes of the scratch arena that it needs
 * @param liveBytes largest sum of buffers that are live at one launch: no layout can need less
 * @param catalogue where its kernels come from: libraries and their versions
 */
public record Plan(String name, Graph graph, Target target, Precision precision, Layout activations,
                   List<Launch> prepare, List<Launch> launches, SequencedMap<Value, Buffer> buffers, long scratch,
                   long liveBytes, String catalogue) {

    public Plan {
        prepare = List.copyOf(prepare);
        launches = List.copyOf(launches);
        buffers = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(buffers));
    }

    /** Images in a batch. */
    public int batch() {
        return graph.inputs().stream().filter(v -> v.name().equals("pixels") || v.name().equals("labels")).findFirst()
                .orElseThrow().shape().n();
    }

    /** Of a step, in which streams overlap as they may. */
    public double predictedMs() {
        return Streams.milliseconds(launches);
    }

    public long bytes() {
        return launches.stream().mapToLong(Launch::bytes).sum();
    }

    public long flops() {
        return launches.stream().mapToLong(Launch::flops).sum();
    }

    /** What crosses the cut of a network, into this plan or out of it, in the order that both parts have. */
    public List<Buffer> features() {
        return Stream.concat(graph.inputs().stream().filter(v -> v.name().startsWith(PlanRequest.Cut.FEATURES)),
                graph.outputs().entrySet().stream().filter(e -> e.getKey().startsWith(PlanRequest.Cut.FEATURES))
                        .map(Map.Entry::getValue)).map(buffers::get).toList();
    }

    /** Where an input of the step lies. */
    public Buffer input(String name) {
        return buffers.get(graph.input(name));
    }

    /** Where an output lies after the step. */
    public Buffer output(String name) {
        return buffers.get(graph.output(name));
    }
}
