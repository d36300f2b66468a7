package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.Value;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Evaluation-mode batch norms disappear into the convolutions before them. */
class FoldPassTest {
    private static final Set<String> NORM = Set.of("bn.weight");

    private static Graph norm() {
        PassGraph b = new PassGraph();
        return b.output(b.norm("bn", b.conv("conv", b.image())));
    }

    @Test
    void picture() {
        assertThat(PassGraph.draw(FoldPass.run(FreezePass.run(norm(), NORM)))).isEqualTo("""
                bn.affine#0, bn.affine#1 = bn_affine(bn.weight, bn.bias, bn.mean, bn.var)
                conv.weight.folded = fold_weight(conv.weight, bn.affine#0)
                conv = conv(image, conv.weight.folded, bn.affine#1)
                output y = conv
                """);
    }

    @Test
    void foldsTheMasterAndCastsOnce() {
        Graph half = InputPass.run(norm(), List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0), DType.BF16);
        assertThat(PassGraph.draw(FoldPass.run(FreezePass.run(half, NORM)))).isEqualTo("""
                normalize = normalize(pixels)
                bn.affine#0, bn.affine#1 = bn_affine(bn.weight, bn.bias, bn.mean, bn.var)
                conv.weight.folded = fold_weight(conv.weight, bn.affine#0)
                conv.weight.cast = cast(conv.weight.folded)
                conv = conv(normalize, conv.weight.cast, bn.affine#1)
                output y = conv
                """);
    }

    @Test
    void notInTraining() {
        assertThat(FoldPass.run(norm())).isEqualTo(norm());
    }

    @Test
    void notWhereTheConvolutionHasAnotherReader() {
        PassGraph b = new PassGraph();
        Value x = b.conv("conv", b.image());
        Graph frozen = FreezePass.run(b.output(b.add("sum", b.norm("bn", x), x)), NORM);
        assertThat(FoldPass.run(frozen)).isEqualTo(frozen);
    }

    @Test
    void notWhereTheConvolutionIsAnOutput() {
        PassGraph b = new PassGraph();
        Value x = b.conv("conv", b.image());
        b.builder().output("tap", x);
        Graph frozen = FreezePass.run(b.output(b.norm("bn", x)), NORM);
        assertThat(FoldPass.run(frozen)).isEqualTo(frozen);
    }

    @Test
    void notAfterAnythingElse() {
        PassGraph b = new PassGraph();
        Graph frozen = FreezePass.run(b.output(b.norm("bn", b.relu("relu", b.conv("conv", b.image())))), NORM);
        assertThat(FoldPass.run(frozen)).isEqualTo(frozen);
    }
}
