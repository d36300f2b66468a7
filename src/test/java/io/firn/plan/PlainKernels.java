package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Value;
import java.util.List;
import java.util.Set;

/** A catalogue of one kernel an op: nothing is fused, packed or computed twice. */
record PlainKernels(Layout layout) implements Kernels {

    static final Target TARGET = Target.cpu(1, "none", 1e11, 2e11, 1e10, 1e-6);

    @Override
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        return nodes.size() == 1;
    }

    @Override
    public boolean recomputes(Node consumer) {
        return false;
    }

    @Override
    public boolean packsWeights(Node product) {
        return false;
    }

    @Override
    public Layout activationLayout(Graph graph) {
        return layout;
    }

    @Override
    public List<Candidate> candidates(Subgraph s, Layout activations) {
        return List.of(Candidate.of(Kernel.own(s.anchor().op().label()),
                s.inputs().stream().map(v -> OperandLayouts.input(s, v, activations)).toList(),
                s.outputs().stream().map(v -> OperandLayouts.output(s, v, activations)).toList(), 0));
    }

    @Override
    public Candidate conversion(Subgraph cast, List<Layout> from, List<Layout> to) {
        return Candidate.of(Kernel.own("cast"), from, to, 0);
    }

    @Override
    public String versions() {
        return "plain";
    }
}
