package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Gives consumers that would rather compute than read their own copy of batch norm's apply and the activation after it,
 * from the convolution's output, which batch norm's gradient keeps anyway. The copies are fused with their consumer, and
 * where all consumers have one, the activation never crosses memory. A weight gradient reads the copy that the activation's
 * gradient has: from the forward pass until there, nobody keeps the activation. (Chen et al. 2016, arXiv 1604.06174, drop what
 * is cheap to compute again; here that costs no pass of its own.)
 *
 * <pre>
 * a = silu(bn_apply(x, s, t)); gate(a, e)   →   gate(silu(bn_apply(x, s, t)), e)
 * a = relu(bn_apply(x, s, t)); conv(a, w)   →   a = relu(bn_apply(x, s, t)); conv(a, w)
 * conv_wgrad(a, d); relu_grad(e, a)             b = relu(bn_apply(x, s, t)); conv_wgrad(b, d); relu_grad(e, b)
 * </pre>
 */
final class RecomputePass {
    private final Graph graph;
    private final Kernels kernels;
    private final Map<Value, Node> producers;
    private final Set<Value> chains;
    private final GraphBuilder b;
    /** Copies of what gradients of activations read that recompute it. */
    private final Map<Value, Value> shared = new HashMap<>();

    private RecomputePass(Graph graph, Kernels kernels) {
        this.graph = graph;
        this.kernels = kernels;
        producers = graph.producers();
        chains = chains(graph, producers);
        b = GraphBuilder.rewriting(graph);
    }

    static Graph run(Graph g, Kernels kernels) {
        return new RecomputePass(g, kernels).run();
    }

    private Graph run() {
        Set<Value> again = new HashSet<>();
        graph.nodes().stream().filter(n -> n.op() instanceof Activation.Grad && kernels.recomputes(n))
                .forEach(n -> again.add(n.input(1)));
        for (Node n : graph.nodes()) {
            boolean sharesCopy = n.op() instanceof Convolution.Wgrad && again.contains(n.input(0));
            if (!sharesCopy && !kernels.recomputes(n)) {
                b.copy(n);
                continue;
            }
            b.phase(n.phase());
            Value[] in = n.inputs().stream().map(v -> n.op() instanceof Gate ? clone(v)
                    : again.contains(v) ? shared.computeIfAbsent(v, this::clone) : b.mapped(v)).toArray(Value[]::new);
            b.replace(n.output(), b.add(n.name(), n.op(), in));
        }
        b.copyResults(graph);
        return b.build().prune();
    }

    /** A copy of {@code v}'s chain, or {@code v} itself where it is no such chain. */
    private Value clone(Value v) {
        if (!chains.contains(v)) {
            return b.mapped(v);
        }
        Node n = producers.get(v);
        return b.add(n.name() + ".again", n.op(), n.inputs().stream().map(i -> isApply(n) ? b.mapped(i) : clone(i))
                .toArray(Value[]::new));
    }

    /**
     * What few cheap operations compute from what is kept. Of the sums that follow each other in a stage every other one:
     * each needs the one before it.
     */
    private static Set<Value> chains(Graph g, Map<Value, Node> producers) {
        Set<Value> chains = new HashSet<>();
        for (Node n : g.nodes()) {
            boolean chain = switch (n.op()) {
                case Normalization.Apply a -> isApply(n);
                case Activation.Forward a -> chains.contains(n.input(0));
                case Elementwise.Add a -> n.inputs().stream().anyMatch(v -> isApply(producers.get(v)))
                        && n.inputs().stream().allMatch(v -> isApply(producers.get(v)) || !chains.contains(v));
                default -> false;
            };
            if (chain) {
                chains.add(n.output());
            }
        }
        return chains;
    }

    private static boolean isApply(Node n) {
        return n != null && n.op() instanceof Normalization.Apply && n.inputs().size() == 3;
    }
}
