package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Training-mode batch norms become their parts. */
class SplitPassTest {

    private static Graph norm() {
        PassGraph b = new PassGraph();
        return b.output(b.relu("relu", b.norm("bn", b.image())));
    }

    @Test
    void picture() {
        assertThat(PassGraph.draw(SplitPass.run(norm()))).isEqualTo("""
                bn.statistics#0, bn.statistics#1 = bn_statistics(image)
                bn.finalise#0, bn.finalise#1, bn.finalise#2, bn.finalise#3, bn.finalise#4, bn.finalise#5 = \
                bn_finalise(bn.statistics#0, bn.statistics#1, bn.weight, bn.bias, bn.mean, bn.var)
                bn = bn_apply(image, bn.finalise#2, bn.finalise#3)
                relu = relu(bn)
                output y = relu
                update bn.mean = bn.finalise#4
                update bn.var = bn.finalise#5
                """);
    }

    @Test
    void notInEvaluation() {
        Graph frozen = FreezePass.run(norm(), Set.of("bn.bias"));
        assertThat(SplitPass.run(frozen)).isEqualTo(frozen);
    }
}
