package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Phase;
import io.firn.graph.Value;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Products that want packed weights get casts of their own. */
class PackPassTest {
    private static final Kernels PACKS = new GreedyKernels(Layout.NHWC);

    /** A convolution with both its gradients. */
    private static Graph graph() {
        PassGraph p = new PassGraph();
        Value x = p.image();
        Value y = p.conv("conv", x);
        GraphBuilder b = p.builder().phase(Phase.BACKWARD);
        b.output("dx", b.add("conv.dgrad", new Convolution.Dgrad(1, 0, 1, 4, 4), y, b.build().state("conv.weight").value()));
        b.output("dw", b.add("conv.wgrad", new Convolution.Wgrad(1, 0, 1, 1), x, y));
        return b.build();
    }

    @Test
    void picture() {
        assertThat(PassGraph.draw(PackPass.run(graph(), PACKS))).isEqualTo("""
                conv.pack = cast(conv.weight)
                conv = conv(image, conv.pack)
                conv.dgrad.pack = cast(conv.weight)
                conv.dgrad = conv_dgrad(conv, conv.dgrad.pack)
                conv.wgrad = conv_wgrad(image, conv)
                conv.wgrad.unpack = cast(conv.wgrad)
                output dx = conv.dgrad
                output dw = conv.wgrad.unpack
                """);
    }

    @Test
    void takesThePlaceOfTheCastThatIsThere() {
        PassGraph p = new PassGraph();
        Graph g = InputPass.run(p.output(p.conv("conv", p.image())), List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0),
                DType.BF16);
        Graph packed = PackPass.run(g, PACKS);
        assertThat(PassGraph.draw(packed)).isEqualTo("""
                normalize = normalize(pixels)
                conv.pack = cast(conv.weight)
                conv = conv(normalize, conv.pack)
                output y = conv
                """);
        assertThat(packed.nodes().get(1).output().dtype()).isEqualTo(DType.BF16);
    }

    @Test
    void packsTheFoldedWeightInAdvance() {
        Plan plan = PlanRuns.program(PACKS, PlanRuns.evaluate(ModelPlansTest.tiny("resnet20"))).plans().getFirst();
        assertThat(plan.prepare()).extracting(Launch::op).contains("bn_affine", "fold_weight", "cast");
        assertThat(plan.launches()).extracting(Launch::op).doesNotContain("cast", "fold_weight", "bn_affine");
    }

    @Test
    void notOtherOpsAndNotWithoutNeed() {
        PassGraph p = new PassGraph();
        Graph linear = p.classify(p.image());
        assertThat(PackPass.run(linear, PACKS)).isEqualTo(linear);
        assertThat(PackPass.run(graph(), new PlainKernels(Layout.NHWC))).isEqualTo(graph());
    }
}
