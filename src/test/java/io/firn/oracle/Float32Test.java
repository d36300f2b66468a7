package io.firn.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * A fused launch as a device computes it, every step in float: convolution, statistics, normalisation and ReLU. It is
 * within the tolerance of f32, and what a mistaken kernel computes is not.
 */
class Float32Test {
    private static final int N = 4;
    private static final int C = 16;
    private static final int SIDE = 9;
    private static final int AREA = SIDE * SIDE;
    private static final float EPS = 1e-5f;

    /** The mistakes that the kernel below can make. */
    private enum Mistake {
        NONE, DROPPED_TERM, WRONG_CHANNEL, WRONG_COUNT, NO_BIAS
    }

    private final Random random = new Random(8);
    private final float[] x = floats(N * C * AREA, 0, 1);
    private final float[] w = floats(C * C * 9, 0, 0.1f);
    private final float[] weight = floats(C, 1, 0.2f);
    private final float[] bias = floats(C, 0, 0.5f);

    @Test
    void roundingIsWithinTheTolerance() {
        Expected expected = expected();
        assertThat(error(expected, Mistake.NONE)).isLessThan(Tolerance.FP32.share());
    }

    @Test
    void mistakesAreNot() {
        Expected expected = expected();
        for (Mistake m : Mistake.values()) {
            if (m != Mistake.NONE) {
                assertThat(error(expected, m)).as(m.name()).isGreaterThan(100 * Tolerance.FP32.share());
            }
        }
    }

    private record Expected(double[] y, double[] magnitude) {
    }

    private Expected expected() {
        GraphBuilder b = new GraphBuilder();
        Map<Value, double[]> given = new HashMap<>();
        Value image = give(given, b.input("x", Type.f32(N, C, SIDE, SIDE)), x);
        Value filter = give(given, b.parameter("w", C, C, 3, 3), w);
        Value scale = give(given, b.parameter("weight", C), weight);
        Value shift = give(given, b.parameter("bias", C), bias);
        Value mean = give(given, b.state(State.Kind.STATISTIC, "mean", Type.f32(C)), new float[C]);
        Value var = give(given, b.state(State.Kind.STATISTIC, "var", Type.f32(C)), new float[C]);
        Value conv = b.add("conv", new Convolution.Forward(1, 1, 1), image, filter);
        List<Value> sums = b.addAll("sums", new Normalization.Statistics(), conv);
        List<Value> affine = b.addAll("affine", new Normalization.Finalise(EPS, 0.1, N * AREA), sums.get(0),
                sums.get(1), scale, shift, mean, var);
        Value applied = b.add("apply", new Normalization.Apply(), conv, affine.get(2), affine.get(3));
        Value y = b.add("y", new Activation.Forward(Activation.Kind.RELU), applied);
        List<Node> nodes = b.build().nodes();
        Map<Value, double[]> values = new HashMap<>(given);
        GraphOracle.run(nodes, values, GraphOracle.Precision.EXACT);
        return new Expected(values.get(y), Magnitudes.of(nodes, given, Tolerance.FP32).get(y));
    }

    private static Value give(Map<Value, double[]> given, Value v, float[] data) {
        given.put(v, doubles(data));
        return v;
    }

    private double error(Expected expected, Mistake mistake) {
        float[] y = new float[N * C * AREA];
        int largest = IntStream.range(0, y.length).boxed().max(Comparator.comparing(i -> expected.y[i])).orElseThrow();
        for (int i = 0; i < y.length; i++) {
            y[i] = convolve(i, mistake == Mistake.DROPPED_TERM && i == largest);
        }
        float count = N * AREA - (mistake == Mistake.WRONG_COUNT ? 1 : 0);
        for (int c = 0; c < C; c++) {
            float sum = 0;
            float squares = 0;
            for (int i = 0; i < N * AREA; i++) {
                float v = y[(i / AREA * C + c) * AREA + i % AREA];
                sum += v;
                squares += v * v;
            }
            float mean = sum / count;
            float scale = weight[c] / (float) Math.sqrt(squares / count - mean * mean + EPS);
            float added = mistake == Mistake.NO_BIAS ? 0 : bias[mistake == Mistake.WRONG_CHANNEL ? c ^ 1 : c];
            float shift = added - mean * scale;
            for (int i = 0; i < N * AREA; i++) {
                int at = (i / AREA * C + c) * AREA + i % AREA;
                y[at] = Math.max(y[at] * scale + shift, 0);
            }
        }
        return Tolerance.error(doubles(y), expected.y, expected.magnitude);
    }

    /** One pixel of the convolution. */
    private float convolve(int at, boolean dropCentre) {
        int n = at / (C * AREA);
        int o = at / AREA % C;
        float sum = 0;
        for (int c = 0; c < C; c++) {
            for (int k = 0; k < 9; k++) {
                int h = at / SIDE % SIDE - 1 + k / 3;
                int v = at % SIDE - 1 + k % 3;
                boolean dropped = dropCentre && k == 4 && c == C - 1;
                if (h >= 0 && h < SIDE && v >= 0 && v < SIDE && !dropped) {
                    sum += x[(n * C + c) * AREA + h * SIDE + v] * w[(o * C + c) * 9 + k];
                }
            }
        }
        return sum;
    }

    private float[] floats(int length, float mean, float deviation) {
        float[] data = new float[length];
        for (int i = 0; i < length; i++) {
            data[i] = mean + deviation * (float) random.nextGaussian();
        }
        return data;
    }

    private static double[] doubles(float[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = x[i];
        }
        return y;
    }
}
