package io.firn.oracle;

import static io.firn.oracle.Samples.array;
import static io.firn.oracle.Samples.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.firn.graph.DType;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Rates;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Products and the loss by hand. */
class LinearOracleTest {
    private static final Array X = array(new double[] {1, 2, 3, -1, 0, 1}, 2, 3);
    private static final Array W = array(new double[] {1, 0, 2, -1, 1, 1}, 2, 3);
    private static final Array DY = array(new double[] {1, 2, 3, -1}, 2, 2);

    @Test
    void products() {
        same(run(new Linear.Forward(), X, W, array(new double[] {10, 20}, 2)), 17, 24, 11, 22);
        same(run(new Linear.Forward(), X, array(W.data(), 2, 3, 1, 1), array(new double[2], 2)), 7, 4, 1, 2);
        same(run(new Linear.Dgrad(), DY, W), -1, 2, 4, 4, -1, 5);
        same(run(new Linear.Wgrad(Shape.of(2, 3)), X, DY), -2, 2, 6, 3, 4, 5);
        same(run(new Linear.BiasGrad(), DY), 4, 1);
    }

    @Test
    void productsOfMoreThanFourRowsAndColumns() {
        List<Array> a = Samples.normal(Shape.of(7, 9), Shape.of(6, 9), Shape.of(6), Shape.of(7, 6));
        double[] y = run(new Linear.Forward(), a.subList(0, 3)).getFirst();
        double[] dx = run(new Linear.Dgrad(), a.get(3), a.get(1)).getFirst();
        double[] dw = run(new Linear.Wgrad(Shape.of(6, 9)), a.get(0), a.get(3)).getFirst();
        double[] expectedY = new double[42];
        double[] expectedDx = new double[63];
        double[] expectedDw = new double[54];
        for (int n = 0; n < 7; n++) {
            for (int o = 0; o < 6; o++) {
                expectedY[n * 6 + o] += a.get(2).data()[o];
                for (int k = 0; k < 9; k++) {
                    expectedY[n * 6 + o] += a.get(0).data()[n * 9 + k] * a.get(1).data()[o * 9 + k];
                    expectedDx[n * 9 + k] += a.get(3).data()[n * 6 + o] * a.get(1).data()[o * 9 + k];
                    expectedDw[o * 9 + k] += a.get(3).data()[n * 6 + o] * a.get(0).data()[n * 9 + k];
                }
            }
        }
        same(List.of(y), expectedY);
        same(List.of(dx), expectedDx);
        same(List.of(dw), expectedDw);
    }

    @Test
    void smoothedCrossEntropyLeavesPaddingOut() {
        // Two classes: p = (1/4, 3/4) and (1/2, 1/2); the last row is padding.
        double log3 = Math.log(3);
        Array logits = array(new double[] {1000, 1000 + log3, 5, 5, 100, -100}, 3, 2);
        Array labels = labels(1, 0, -1);
        double first = -(0.9 * Math.log(0.75) + 0.1 * Math.log(0.25));
        same(run(new Loss.SoftmaxCrossEntropy(0.2), logits, labels), (first + Math.log(2)) / 2);
        same(run(new Loss.SoftmaxCrossEntropyGrad(0.2), logits, labels), 0.075, -0.075, -0.2, 0.2, 0, 0);
        same(run(new Loss.SoftmaxCrossEntropy(0), logits, labels), (-Math.log(0.75) + Math.log(2)) / 2);
    }

    /** Half of each label: the mean of both labels' losses; smoothing spreads as without mixing. */
    @Test
    void mixedImagesHaveTwoLabels() {
        double log3 = Math.log(3);
        Array logits = array(new double[] {0, log3, 5, 5, 1, 2}, 3, 2);
        Array rates = new Array(Rates.TYPE, new double[] {0, 0, 0.75, 0, 0, 0, 0, 0});
        List<Array> in = List.of(logits, labels(1, 0, 1), labels(0, 0, -1), rates);
        // q = (1/4, 3/4) is p itself in the first row.
        double entropy = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25));
        same(Samples.run(new Loss.SoftmaxCrossEntropy(0), in), (entropy + Math.log(2)) / 2);
        same(Samples.run(new Loss.SoftmaxCrossEntropyGrad(0), in), 0, 0, -0.25, 0.25, 0, 0);
        // q = 0.8 · (1/4, 3/4) + 0.1
        same(Samples.run(new Loss.SoftmaxCrossEntropyGrad(0.2), in), -0.025, 0.025, -0.2, 0.2, 0, 0);
    }

    @Test
    void onlyPaddingIsNoLoss() {
        Array logits = array(new double[] {1, 2}, 1, 2);
        same(run(new Loss.SoftmaxCrossEntropy(0.1), logits, labels(-1)), 0);
        same(run(new Loss.SoftmaxCrossEntropyGrad(0.1), logits, labels(-1)), 0, 0);
        assertThatThrownBy(() -> run(new Loss.SoftmaxCrossEntropy(0), logits, labels(2)))
                .hasMessageContaining("2 classes");
    }

    private static Array labels(double... labels) {
        return new Array(new Type(DType.I32, Shape.of(labels.length)), labels);
    }

    private static void same(List<double[]> actual, double... expected) {
        assertThat(actual.getFirst()).containsExactly(expected, offset(1e-12));
    }
}
