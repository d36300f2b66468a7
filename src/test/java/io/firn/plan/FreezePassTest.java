package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import io.firn.graph.Value;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What is frozen is planned as evaluation. */
class FreezePassTest {

    private static Graph norm() {
        PassGraph b = new PassGraph();
        return b.output(b.norm("bn", b.conv("conv", b.image())));
    }

    @Test
    void eitherAffineParameterFreezesTheNorm() {
        for (String named : new String[] {"bn.weight", "bn.bias"}) {
            assertThat(PassGraph.draw(FreezePass.run(norm(), Set.of(named)))).isEqualTo("""
                    conv = conv(image, conv.weight)
                    bn.affine#0, bn.affine#1 = bn_affine(bn.weight, bn.bias, bn.mean, bn.var)
                    bn = bn_apply(conv, bn.affine#0, bn.affine#1)
                    output y = bn
                    """);
        }
    }

    @Test
    void otherParametersLeaveTheNormInTraining() {
        assertThat(FreezePass.run(norm(), Set.of("conv.weight"))).isEqualTo(norm());
    }

    @Test
    void dropsOnlyAboveWhatIsTrained() {
        PassGraph b = new PassGraph();
        Value x = b.path("path", b.conv("conv", b.image()));
        Graph g = b.output(b.path("path2", b.conv("conv2", x)));
        assertThat(PassGraph.draw(FreezePass.run(g, Set.of("conv.weight")))).isEqualTo("""
                conv = conv(image, conv.weight)
                conv2 = conv(conv, conv2.weight)
                path2 = drop_path(conv2, counter)
                output y = path2
                """);
        assertThat(FreezePass.run(g, Set.of("conv2.weight"))).as("below is trained").isEqualTo(g);
        assertThat(FreezePass.run(g, Set.of("conv.weight", "conv2.weight")).inputs()).as("no random numbers").hasSize(1);
    }
}
