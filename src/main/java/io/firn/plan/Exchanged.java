package io.firn.plan;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.graph.Collective;
import java.util.Optional;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/**
 * What the ranks exchange in a step, as a plan predicts it: bytes are exact, times are not measured.
 *
 * @param ranks      that step together
 * @param launches   of collectives
 * @param bytes      that they reduce
 * @param wireBytes  that each rank sends for that, and receives
 * @param ms         that they take, one after the other
 * @param exposedMs  of it that computing does not hide
 * @param efficiency predicted share of the time that a rank would need alone for its part of the batch
 * @param network    that connects the ranks, as it is assumed
 */
public record Exchanged(int ranks, int launches, long bytes, @JsonProperty("wire_bytes") long wireBytes, double ms,
                        @JsonProperty("exposed_ms") double exposedMs, double efficiency, String network) {

    /** Of a whole step, all its micro-batches included; empty where it is a single rank's. */
    static Optional<Exchanged> of(WholeStep step) {
        Optional<Collective> one = step.plans().stream().flatMap(p -> on(p, Streams.COLLECTIVES))
                .map(l -> (Collective) l.subgraph().nodes().getFirst().op()).findFirst();
        return one.map(Collective::ranks).map(ranks -> {
            double alone = step.sum(p -> on(p, Streams.COMPUTE).mapToDouble(Launch::predictedMs).sum());
            double ms = step.sum(p -> on(p, Streams.COLLECTIVES).mapToDouble(Launch::predictedMs).sum());
            return new Exchanged(ranks, (int) sum(step, _ -> 1), sum(step, l -> Estimate.payload(l.subgraph())),
                    sum(step, l -> Network.wireBytes(Estimate.payload(l.subgraph()), ranks)), ms, step.predictedMs() - alone,
                    alone / step.predictedMs(), Network.of(step.plan().target()).source());
        });
    }

    private static Stream<Launch> on(Plan plan, int stream) {
        return plan.launches().stream().filter(l -> l.stream() == stream);
    }

    /** What is so much of each collective, of all that a step runs. */
    private static long sum(WholeStep step, ToLongFunction<Launch> of) {
        return step.plans().stream().mapToLong(p -> step.times(p) * on(p, Streams.COLLECTIVES).mapToLong(of).sum()).sum();
    }
}
