package io.firn.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.graph.Convolution;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.weights.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Layers' responses, of which none is read, are what the oracle's have as standard deviation. */
class ResponsesTest {
    private static final double EPS = 1e-5;
    private static final int CHANNELS = 6;

    private static double[] random(Random random, int n, double scale, double shift) {
        return random.doubles(n).map(v -> shift + scale * (2 * v - 1)).toArray();
    }

    private static Tensor tensor(double[] values, int... dims) {
        float[] data = new float[values.length];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) values[i];
        }
        return new Tensor(Shape.of(dims), data);
    }

    @Test
    void parametersAndStatisticsSayWhatTheActivationsAre() {
        GraphBuilder b = new GraphBuilder();
        Value x = b.input("x", Type.f32(4, 3, 7, 7));
        Value w = b.parameter("conv1.weight", CHANNELS, 3, 3, 3);
        Value y = b.add("conv1", new Convolution.Forward(1, 1, 1), x, w);
        List<Value> normed = b.addAll("bn1", new Normalization.BatchNorm(EPS, 0.1), y, b.parameter("bn1.weight", CHANNELS),
                b.parameter("bn1.bias", CHANNELS), b.state(State.Kind.STATISTIC, "bn1.running_mean", Type.f32(CHANNELS)),
                b.state(State.Kind.STATISTIC, "bn1.running_var", Type.f32(CHANNELS)));
        b.output("y", normed.get(0));
        b.output("invstd", normed.get(2));
        Random random = new Random(3);
        Map<String, double[]> in = new LinkedHashMap<>();
        in.put("x", random(random, 4 * 3 * 49, 1, 0.2));
        in.put("conv1.weight", random(random, CHANNELS * 27, 0.01, 0));
        in.put("bn1.weight", random(random, CHANNELS, 0.5, 1));
        in.put("bn1.bias", random(random, CHANNELS, 0.7, -0.3));
        in.put("bn1.running_mean", new double[CHANNELS]);
        in.put("bn1.running_var", new double[CHANNELS]);
        var result = GraphOracle.evaluate(b.build(), in);
        double[] variance = Arrays.stream(result.output("invstd")).map(i -> 1 / (i * i) - EPS).toArray();
        double[] all = result.output("y");
        double mean = Arrays.stream(all).average().orElseThrow();
        double deviation = Math.sqrt(Arrays.stream(all).map(v -> (v - mean) * (v - mean)).average().orElseThrow());
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("conv1.weight", tensor(in.get("conv1.weight"), CHANNELS, 3, 3, 3));
        tensors.put("bn1.weight", tensor(in.get("bn1.weight"), CHANNELS));
        tensors.put("bn1.bias", tensor(in.get("bn1.bias"), CHANNELS));
        tensors.put("bn1.running_var", tensor(variance, CHANNELS));
        tensors.put("fc.weight", tensor(new double[CHANNELS], 1, CHANNELS));
        assertThat(Responses.of(tensors, EPS)).hasSize(1).first().satisfies(r -> assertThat(r).isCloseTo(deviation, within(1e-6)));
    }
}
