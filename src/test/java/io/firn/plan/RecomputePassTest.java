package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import io.firn.graph.Value;
import org.junit.jupiter.api.Test;

/** Consumers that would rather compute get their own copy of batch norm's apply and the activation after it. */
class RecomputePassTest {

    /** Squeeze-and-excitation without its inner layers. */
    private static Graph gate(boolean norm) {
        PassGraph b = new PassGraph();
        Value x = b.conv("conv", b.image());
        Value a = b.silu("act", norm ? b.norm("bn", x) : x);
        return SplitPass.run(b.output(b.gate("gate", a, b.linear("fc", b.average("pool", a)))));
    }

    @Test
    void picture() {
        assertThat(PassGraph.draw(RecomputePass.run(gate(true), new GreedyKernels(Layout.NHWC)))).contains("""
                bn = bn_apply(conv, bn.finalise#2, bn.finalise#3)
                act = silu(bn)
                pool = global_average(act)
                fc = linear(pool, fc.weight, fc.bias)
                bn.again = bn_apply(conv, bn.finalise#2, bn.finalise#3)
                act.again = silu(bn.again)
                gate = gate(act.again, fc)
                output y = gate
                """);
    }

    @Test
    void notWithoutBatchNorm() {
        assertThat(PassGraph.draw(RecomputePass.run(gate(false), new GreedyKernels(Layout.NHWC))))
                .isEqualTo(PassGraph.draw(gate(false)));
    }

    @Test
    void notAnActivationAfterWhatIsRecomputedItself() {
        PassGraph b = new PassGraph();
        Value image = b.image();
        Value x = b.gate("inner", b.norm("bn", image), b.average("m", image));
        Value a = b.silu("act", x);
        Graph g = SplitPass.run(b.output(b.gate("outer", a, b.average("p", a))));
        assertThat(PassGraph.draw(RecomputePass.run(g, new GreedyKernels(Layout.NHWC)))).contains("bn.again")
                .doesNotContain("act.again");
    }

    @Test
    void notWhereTheCatalogueReads() {
        assertThat(PassGraph.draw(RecomputePass.run(gate(true), new PlainKernels(Layout.NHWC))))
                .isEqualTo(PassGraph.draw(gate(true)));
    }
}
