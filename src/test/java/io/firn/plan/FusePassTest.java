package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Phase;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which nodes become one launch, and in which order launches run. */
class FusePassTest {
    private static final Kernels GREEDY = new GreedyKernels(Layout.NHWC);

    private static List<List<String>> fused(Graph g, Kernels kernels) {
        return FusePass.run(g, kernels).parts().stream().map(p -> p.subgraph().nodes().stream().map(Node::name).toList()).toList();
    }

    @Test
    void normSumAndActivation() {
        PassGraph b = new PassGraph();
        Value x = b.image();
        Graph g = SplitPass.run(b.output(b.relu("relu", b.add("sum", b.norm("bn", b.conv("conv", x)), x))));
        assertThat(fused(g, GREEDY)).containsExactly(List.of("conv"),
                List.of("bn.statistics", "bn.finalise", "bn", "sum", "relu"));
        Subgraph s = FusePass.run(g, GREEDY).parts().getLast().subgraph();
        assertThat(s.inputs()).extracting(Value::name).containsExactly("conv", "bn.weight", "bn.bias", "bn.mean", "bn.var",
                "image");
        assertThat(s.outputs()).extracting(Value::name).containsExactly("bn.finalise#4", "bn.finalise#5", "relu");
    }

    @Test
    void inferenceEpilogue() {
        PassGraph b = new PassGraph();
        Value x = b.image();
        Graph g = b.output(b.relu("relu", b.add("sum", b.norm("bn", b.conv("conv", x)), x)));
        Graph folded = FoldPass.run(FreezePass.run(g, Set.of("conv.weight", "bn.weight")));
        assertThat(fused(folded, GREEDY)).contains(List.of("conv", "sum", "relu"));
    }

    @Test
    void notWhereAPathLeadsOutAndBackIn() {
        // Gating needs the average of all that it gates: one launch for both would wait for the product between.
        PassGraph b = new PassGraph();
        Value a = b.silu("act", b.conv("conv", b.image()));
        Graph g = b.output(b.gate("gate", a, b.linear("fc", b.average("pool", a))));
        assertThat(fused(g, GREEDY)).containsExactly(List.of("conv"), List.of("act", "pool"), List.of("fc"),
                List.of("gate"));
    }

    @Test
    void notOverALongerWayAroundEither() {
        PassGraph b = new PassGraph();
        Value a = b.relu("a", b.image());
        Value far = b.relu("far", b.conv("c2", b.relu("mid", b.conv("c1", a))));
        assertThat(fused(b.output(b.add("sum", a, far)), GREEDY)).containsExactly(List.of("a"), List.of("c1"),
                List.of("mid"), List.of("c2"), List.of("far", "sum"));
    }

    @Test
    void notAcrossPhases() {
        PassGraph b = new PassGraph();
        Value a = b.relu("a", b.image());
        b.builder().phase(Phase.BACKWARD);
        assertThat(fused(b.output(b.relu("later", a)), GREEDY)).containsExactly(List.of("a"), List.of("later"));
    }

    @Test
    void notWithAPlainCatalogue() {
        PassGraph b = new PassGraph();
        Graph g = b.output(b.relu("b", b.relu("a", b.image())));
        assertThat(fused(g, new PlainKernels(Layout.NHWC))).containsExactly(List.of("a"), List.of("b"));
    }

    @Test
    void everyNodeOnceAndNothingBeforeItIsWritten() {
        Random random = new Random(2);
        for (long seed = 0; seed < 100; seed++) {
            Graph g = SplitPass.run(RandomNet.build(seed));
            Set<Value> known = new HashSet<>(g.inputs());
            g.states().forEach(s -> known.add(s.value()));
            Set<String> seen = new HashSet<>();
            for (Partition.Part p : FusePass.run(g, random.nextBoolean() ? GREEDY : new PlainKernels(Layout.DENSE)).parts()) {
                Subgraph s = p.subgraph();
                assertThat(known).containsAll(s.inputs());
                known.addAll(s.outputs());
                s.nodes().forEach(n -> assertThat(seen.add(n.toString())).isTrue());
            }
            assertThat(seen).hasSize(g.nodes().size());
        }
    }
}
