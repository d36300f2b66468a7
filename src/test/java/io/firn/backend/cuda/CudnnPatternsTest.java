package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What cuDNN is taken to fuse, and what not. */
class CudnnPatternsTest {
    private final GraphBuilder b = new GraphBuilder();

    private Value map(DType t) {
        return b.input("x", new Type(t, Shape.of(2, 8, 6, 6)));
    }

    private Value vector() {
        return b.input("v", Type.f32(8));
    }

    private Value weight(DType t, int kernel) {
        return b.input("w", new Type(t, Shape.of(8, 8, kernel, kernel)));
    }

    private Value relu(Value x) {
        return b.add("relu", new Activation.Forward(Activation.Kind.RELU), x);
    }

    private Value apply(Value x) {
        return b.add("bn", new Normalization.Apply(), x, vector(), vector());
    }

    /** What is refused of all nodes added so far, of which those that nothing reads reach memory, and these. */
    private Optional<String> refusal(Value... kept) {
        b.output("none", b.inputOnce("counter", Type.f32(1)));
        List<Node> nodes = b.build().nodes();
        Set<Value> outputs = new HashSet<>(List.of(kept));
        nodes.forEach(n -> outputs.addAll(n.outputs()));
        nodes.forEach(n -> n.inputs().stream().filter(v -> !List.of(kept).contains(v)).forEach(outputs::remove));
        return CudnnPatterns.refusal(nodes, outputs);
    }

    private Value conv(Value x) {
        return b.add("conv", new Convolution.Forward(1, 1, 1), x, weight(x.dtype(), 3));
    }

    private Value statistics(Value y) {
        b.addAll("statistics", new Normalization.Statistics(), y);
        return y;
    }

    @Test
    void forwardBetweenBatchNorms() {
        Value y = statistics(conv(relu(apply(map(DType.BF16)))));
        assertThat(refusal(y)).isEmpty();
    }

    @Test
    void noPrologueOfTwoMaps() {
        Value y = conv(relu(b.add("sum", new Elementwise.Add(), map(DType.BF16), map(DType.BF16))));
        assertThat(refusal(y)).hasValueSatisfying(r -> assertThat(r).contains("but no add"));
    }

    @Test
    void aPrologueIsNotWritten() {
        Value a = relu(apply(map(DType.BF16)));
        Value y = conv(a);
        assertThat(refusal(a, y)).hasValueSatisfying(r -> assertThat(r).contains("does not reach memory"));
    }

    @Test
    void fullPrecisionIsNotFused() {
        assertThat(refusal(statistics(conv(map(DType.F32))))).hasValueSatisfying(r -> assertThat(r).contains("tf32"));
    }

    private Optional<String> wgrad(DType t) {
        Value a = relu(apply(map(t)));
        b.add("wgrad", new Convolution.Wgrad(1, 1, 1, 3), a, map(t));
        return refusal();
    }

    @Test
    void weightGradientsRecomputeInFp16() {
        assertThat(wgrad(DType.F16)).isEmpty();
    }

    @Test
    void weightGradientsReadInBf16() {
        assertThat(wgrad(DType.BF16)).hasValueSatisfying(r -> assertThat(r).contains("fp16 only"));
    }

    /** A data gradient, the gradient of an activation whose batch norm is recomputed, and batch norm's two sums. */
    private Optional<String> dgrad(int stride, boolean sums) {
        int from = stride == 1 ? 6 : 3;
        Value dy = b.input("dy", new Type(DType.BF16, Shape.of(2, 8, from, from)));
        Value g = b.add("dgrad", new Convolution.Dgrad(stride, 1, 1, 6, 6), dy, weight(DType.BF16, 3));
        Value y = map(DType.BF16);
        Value dz = b.add("relu_grad", new Activation.Grad(Activation.Kind.RELU), g, relu(apply(y)));
        if (sums) {
            b.addAll("sums", new Normalization.GradSums(), dz, y, vector(), vector());
        }
        return refusal(dz);
    }

    @Test
    void dataGradientWithSums() {
        assertThat(dgrad(1, true)).isEmpty();
    }

    @Test
    void stridedDataGradientWithoutSums() {
        assertThat(dgrad(2, false)).isEmpty();
    }

    @Test
    void noStridedDataGradientWithSums() {
        assertThat(dgrad(2, true)).hasValueSatisfying(r -> assertThat(r).contains("does not compile"));
    }

    @Test
    void onlyOneMapIsWritten() {
        Value dy = map(DType.BF16);
        Value g = b.add("dgrad", new Convolution.Dgrad(1, 1, 1, 6, 6), dy, weight(DType.BF16, 3));
        Value sum = b.add("sum", new Elementwise.Add(), g, map(DType.BF16));
        assertThat(refusal(g, sum)).hasValueSatisfying(r -> assertThat(r).contains("one map reaches memory"));
    }

    @Test
    void inferenceEpilogue() {
        Value x = map(DType.BF16);
        Value y = b.add("conv", new Convolution.Forward(1, 1, 1), x, weight(DType.BF16, 3), vector());
        relu(b.add("sum", new Elementwise.Add(), y, map(DType.BF16)));
        assertThat(refusal()).isEmpty();
    }
}
