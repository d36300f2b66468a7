package io.firn.plan;

import io.firn.graph.Graph;
import java.util.List;

/**
 * A graph cut into the subgraphs that one launch each computes, in an order that respects their dependencies.
 *
 * @param graph what the parts compute; it has copies of nodes that several parts compute for themselves
 */
record Partition(Graph graph, List<Part> parts) {

    Partition {
        parts = List.copyOf(parts);
    }

    /**
     * One launch to be.
     *
     * @param reason why it has these nodes and no others, where that was a choice; else empty
     */
    record Part(Subgraph subgraph, String reason) {
    }
}
