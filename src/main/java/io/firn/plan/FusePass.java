package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import java.util.List;

/**
 * Partitions the graph into the subgraphs that one launch each computes. From the last node to the first, a node joins
 * the group of its nearest reader where the catalogue supports the larger group and no path leads out of the group and
 * back in. What a node of a group hands to another no longer crosses memory.
 *
 * <pre>
 * [bn_statistics] [bn_finalise] [bn_apply] [add] [relu]   →   [bn_statistics+bn_finalise+bn_apply+add+relu]
 * </pre>
 */
final class FusePass {
    private final Graph graph;
    private final Kernels kernels;
    private final Groups groups;

    private FusePass(Graph graph, Kernels kernels) {
        this.graph = graph;
        this.kernels = kernels;
        groups = new Groups(graph);
    }

    static Partition run(Graph graph, Kernels kernels) {
        return new FusePass(graph, kernels).fuse();
    }

    private Partition fuse() {
        Groups.Group end = null;
        for (Node n : graph.nodes().reversed()) {
            List<Groups.Group> readers = groups.readers(n);
            // What nothing reads, such as the optimizer's steps, may be one launch with its like that came last.
            List<Groups.Group> options = readers.isEmpty() && end != null ? List.of(end) : readers;
            Groups.Group joined = options.stream().filter(g -> joins(n, g, readers)).findFirst()
                    .orElseGet(() -> groups.open(n));
            if (readers.isEmpty()) {
                end = joined;
            }
            groups.add(n, joined);
        }
        return new Partition(graph, groups.parts());
    }

    private boolean joins(Node n, Groups.Group g, List<Groups.Group> readers) {
        if (g.phase() != n.phase()) {
            return false;
        }
        List<Node> merged = Groups.merged(List.of(n), g);
        return kernels.supports(merged, groups.outputs(merged, g)) && !groups.leadsBack(readers, g);
    }
}
