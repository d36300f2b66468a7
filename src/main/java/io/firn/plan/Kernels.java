package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A device's kernel catalogue, as planning sees it: what can be computed in one launch, and how. Backends implement it;
 * tests have one that never fuses. Answers depend on nothing but the arguments and the catalogue's own, fixed content
 * (library versions and tuning table), so that a plan is a pure function of its inputs.
 */
public interface Kernels {

    /** Whether one launch can compute these nodes, of which {@code outputs} must reach memory. */
    boolean supports(List<Node> nodes, Set<Value> outputs);

    /** Why {@link #supports} says no; empty where it says yes. */
    default Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
        return supports(nodes, outputs) ? Optional.empty() : Optional.of("no kernel computes both");
    }

    /** Whether launches are cut where the fewest bytes move ({@link BytesPass}), rather than by the nearest reader. */
    default boolean fusesByBytes() {
        return false;
    }

    /** Whether a node is so cheap that each of its readers may compute it, where that moves fewer bytes. */
    default boolean copies(Node n) {
        return false;
    }

    /**
     * Whether the consumer's launch would rather compute batch-norm's apply and the activation again from the
     * convolution's output than read the activation from memory.
     */
    boolean recomputes(Node consumer);

    /** Whether products want their weights in a layout of the library's own, written by a launch before. */
    boolean packsWeights(Node product);

    /**
     * How many bytes a value may have before frozen layers, whose values end with the next layer's, rather take the batch
     * in slices ({@link SlicePass}); empty for never.
     */
    default OptionalLong slices() {
        return OptionalLong.empty();
    }

    /** In which layout each activation of the graph lies. */
    Layout activationLayout(Graph graph);

    /** The kernels for a subgraph that is supported, best first; {@code layout} is that of activations.
     * Never asked for a cast alone: see {@link #conversion}. */
    List<Candidate> candidates(Subgraph subgraph, Layout layout);

    /** The kernel for casts alone, between the layouts that their neighbours asked for. */
    Candidate conversion(Subgraph casts, List<Layout> from, List<Layout> to);

    /** Library names and versions, for the plan's record. */
    String versions();
}
