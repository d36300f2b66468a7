package io.firn.plan;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.firn.graph.Collective;
import java.util.List;
import java.util.Optional;

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

    /** Of a plan; empty where it is a single rank's. */
    static Optional<Exchanged> of(Plan plan) {
        List<Launch> all = plan.launches().stream().filter(l -> l.stream() == Streams.COLLECTIVES).toList();
        if (all.isEmpty()) {
            return Optional.empty();
        }
        int ranks = ((Collective) all.getFirst().subgraph().nodes().getFirst().op()).ranks();
        long wire = all.stream().mapToLong(l -> Network.wireBytes(Estimate.payload(l.subgraph()), ranks)).sum();
        double ms = all.stream().mapToDouble(Launch::predictedMs).sum();
        double alone = plan.launches().stream().filter(l -> l.stream() == Streams.COMPUTE).mapToDouble(Launch::predictedMs).sum();
        return Optional.of(new Exchanged(ranks, all.size(), all.stream().mapToLong(l -> Estimate.payload(l.subgraph())).sum(),
                wire, ms, plan.predictedMs() - alone, alone / plan.predictedMs(), Network.of(plan.target()).source()));
    }
}
