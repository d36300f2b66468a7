package io.firn.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.graph.Activation;
import io.firn.graph.DType;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.plan.Layout;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What cuDNN is asked to compute is what the subgraph means. */
class LoweringTest {
    static Stream<Pattern> patterns() {
        return Stream.concat(Pattern.ALL.stream(), Pattern.MATRICES.stream());
    }

    @ParameterizedTest
    @MethodSource("patterns")
    void interpretedItIsTheOraclesResult(Pattern p) {
        for (Precision precision : List.of(Precision.BF16, Precision.FP32)) {
            Subgraph s = p.small(precision.activation());
            List<CudnnGraph> ways = Lowering.ways(s, precision);
            assertThat(ways).isNotEmpty();
            ways.forEach(g -> check(s, g));
        }
    }

    /** Random operands through both; each lies in memory as the plan lays it out. */
    static void check(Subgraph s, CudnnGraph g) {
        Random random = new Random(17);
        Map<Value, double[]> values = new HashMap<>();
        List<double[]> inputs = new ArrayList<>();
        for (Value v : s.inputs()) {
            double[] x = random.doubles(v.shape().elements(), -1, 1).toArray();
            values.put(v, x);
            inputs.add(rows(v, permute(v, x, true), g.inputs().get(inputs.size()).elements()));
        }
        GraphOracle.run(s.nodes(), values, GraphOracle.Precision.EXACT);
        List<double[]> outputs = CudnnInterpreter.run(g, inputs);
        for (int i = 0; i < outputs.size(); i++) {
            Value v = s.outputs().get(i);
            double[] expected = values.get(v);
            double[] actual = permute(v, rows(v, outputs.get(i), v.shape().elements()), false);
            assertThat(actual).as(v.toString()).hasSameSizeAs(expected);
            for (int k = 0; k < expected.length; k++) {
                assertThat(actual[k]).as(v + " " + k).isCloseTo(expected[k], within(1e-10 * (1 + Math.abs(expected[k]))));
            }
        }
    }

    /** As many elements, by more or fewer channels; those that are new are 0. */
    private static double[] rows(Value v, double[] x, long elements) {
        if (x.length == elements) {
            return x;
        }
        int rows = v.shape().n() * v.shape().area();
        double[] y = new double[(int) elements];
        int less = Math.min(x.length, y.length) / rows;
        for (int r = 0; r < rows; r++) {
            System.arraycopy(x, r * (x.length / rows), y, r * (y.length / rows), less);
        }
        return y;
    }

    /** Between the oracle's order and memory's: NHWC for what has four axes. */
    private static double[] permute(Value v, double[] x, boolean toMemory) {
        if (v.shape().rank() != 4) {
            return x;
        }
        double[] y = new double[x.length];
        int[] d = v.shape().toArray();
        int dense = 0;
        for (int n = 0; n < d[0]; n++) {
            for (int c = 0; c < d[1]; c++) {
                for (int h = 0; h < d[2]; h++) {
                    for (int w = 0; w < d[3]; w++) {
                        int memory = (int) Layout.NHWC.offset(v.shape(), n, c, h, w);
                        y[toMemory ? memory : dense] = x[toMemory ? dense : memory];
                        dense++;
                    }
                }
            }
        }
        return y;
    }

    @Test
    void virtualTensorsAreNarrowBeforeTheProductAndWideAfterIt() {
        for (Pattern p : Pattern.ALL) {
            CudnnGraph g = p.lowered(Precision.BF16);
            int product = g.operations().indexOf(g.operations().stream().filter(o -> o instanceof Operation.ConvolutionForward
                    || o instanceof Operation.ConvolutionDgrad || o instanceof Operation.ConvolutionWgrad).findFirst()
                    .orElseThrow());
            for (int i = 0; i < g.operations().size(); i++) {
                boolean feeds = i < product && !(g.operations().get(product) instanceof Operation.ConvolutionDgrad);
                for (Tensor t : g.operations().get(i).writes()) {
                    if (t.virtual()) {
                        assertThat(t.type()).as(p.name()).isEqualTo(feeds ? DType.BF16 : DType.F32);
                    }
                }
            }
        }
    }

    @Test
    void whatHasNoProductOrNoOperationIsNotCudnns() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", new Type(DType.BF16, io.firn.graph.Shape.of(1, 8, 4, 4)));
        Value y = b.add("y", new Activation.Forward(Activation.Kind.RELU), x);
        assertThat(Lowering.of(Subgraph.of(b.build().nodes(), y::equals), Precision.BF16)).isEmpty();
    }
}
