package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Loss;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.graph.Type;
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

    /** A stage of three blocks of one convolution, the first with a downsample. */
    private static Graph stage() {
        PassGraph p = new PassGraph();
        Value x = p.relu("in", p.conv("stem", p.image()));
        Value a = p.relu("a", p.add("a.add", p.norm("bn0", p.conv("conv0", x)), p.norm("down.1", p.conv("down.0", x))));
        Value b = p.relu("b", p.add("b.add", p.norm("bn1", p.conv("conv1", a)), a));
        Value c = p.relu("c", p.add("c.add", p.norm("bn2", p.conv("conv2", b)), b));
        Graph g = p.classify(p.conv("last", c));
        GraphBuilder loss = GraphBuilder.from(g);
        Value labels = loss.input("labels", new Type(DType.I32, Shape.of(2)));
        loss.output("loss", loss.add("loss", new Loss.SoftmaxCrossEntropy(0), g.output("logits"), labels));
        Graph whole = loss.build();
        return SplitPass.run(DifferentiatePass.run(whole, whole.states(State.Kind.PARAMETER).stream().map(State::value).toList(),
                false), 1);
    }

    @Test
    void weightGradientsReadTheCopyOfTheActivationsGradient() {
        assertThat(PassGraph.draw(RecomputePass.run(stage(), new GreedyKernels(Layout.NHWC)))).contains(
                "b = relu(b.add)\n",
                "a.again = relu(a.add.again)\n", "a.add.again = add(bn0.again, down.1.again)\n", "conv1.wgrad = conv_wgrad(a.again,",
                "relu_grad(conv1.sum, a.again)");
    }

    @Test
    void ofSumsThatFollowEachOtherEveryOtherOne() {
        String graph = PassGraph.draw(RecomputePass.run(stage(), new GreedyKernels(Layout.NHWC)));
        assertThat(graph).contains("c.add.again = add(bn2.again, b)\n", "conv2.wgrad = conv_wgrad(b,").doesNotContain("b.again");
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
