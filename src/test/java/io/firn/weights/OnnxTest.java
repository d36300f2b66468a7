package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.firn.error.UserError;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.GraphOracle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** ONNX files as ONNX Runtime computes them and as Firn reads them back; those of PyTorch's exporter; damaged ones. */
@Timeout(120)
class OnnxTest {
    private static final double TOLERANCE = 1e-4;

    @TempDir
    private Path folder;

    private static ModelOptions options(double width, int channels, int resolution) {
        return ModelOptions.defaults().withClasses(7).withWidth(width).withChannels(channels).withResolution(resolution);
    }

    /** Numbers with which signals neither vanish nor grow, and batch norms that do something. */
    static SequencedMap<String, float[]> weights(Graph graph) {
        return Initializer.initialize(graph, 3, (_, state, random) -> {
            double fan = state.value().shape().elements() / (double) state.value().shape().n();
            String name = state.name();
            return () -> {
                double u = 2 * random.nextDouble() - 1;
                return state.value().shape().rank() > 1 ? Math.sqrt(6 / fan) * u : name.endsWith("running_var")
                        ? 1 + 0.5 * Math.abs(u) : name.endsWith(".weight") ? 1 + 0.1 * u : 0.1 * u;
            };
        });
    }

    /** Logits by the oracle, in double precision, with batch norms in evaluation mode and nothing dropped. */
    private static double[] expected(String name, ModelOptions options, Map<String, float[]> weights, float[] images) {
        Graph g = Models.build(name, options.withDropout(0).withDropPath(0)).graph();
        GraphBuilder b = GraphBuilder.rewriting(g);
        for (Node n : g.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm norm) {
                List<Value> affine = b.addAll(n.name() + ".affine", new Normalization.Affine(norm.eps()),
                        n.inputs().subList(1, 5));
                b.replace(n.output(), b.add(n.name(), new Normalization.Apply(), b.mapped(n.input(0)), affine.get(0),
                        affine.get(1)));
            } else {
                b.copy(n);
            }
        }
        b.output("logits", b.mapped(g.output("logits")));
        Map<String, double[]> given = new HashMap<>(Map.of("image", widened(images)));
        weights.forEach((state, data) -> given.put(state, widened(data)));
        return GraphOracle.evaluate(b.build(), given).output("logits");
    }

    private static double[] widened(float[] data) {
        double[] wide = new double[data.length];
        for (int i = 0; i < data.length; i++) {
            wide[i] = data[i];
        }
        return wide;
    }

    @ParameterizedTest
    @CsvSource({"resnet20, 1, 1, 13", "plain20, 1, 3, 12", "resnet18, 0.25, 3, 33", "resnet50, 0.125, 3, 32",
            "resnext50_32x4d, 0.125, 3, 32", "efficientnet_b0, 1, 3, 40", "efficientnet_v2_s, 0.25, 1, 32"})
    void onnxRuntimeComputesTheOraclesLogits(String name, double width, int channels, int resolution) {
        ModelOptions options = options(width, channels, resolution);
        Model model = Models.build(name, options);
        SequencedMap<String, float[]> weights = weights(model.graph());
        for (int batch : new int[]{1, 3}) {
            float[] images = new float[batch * channels * resolution * resolution];
            Random random = new Random(batch);
            for (int i = 0; i < images.length; i++) {
                images[i] = (float) random.nextGaussian();
            }
            double[] expected = expected(name, options.withBatch(batch), weights, images);
            double most = widest(expected);
            assertThat(most).isGreaterThan(0.01);
            for (boolean fold : new boolean[]{false, true}) {
                Path file = folder.resolve(name + ".onnx");
                OnnxWriter.write(file, name, model.graph(), weights, fold, Map.of("model", name));
                float[] logits = OnnxRuntimeNet.logits(file, images, batch, channels, resolution);
                assertThat(logits).hasSize(batch * 7);
                for (int i = 0; i < logits.length; i++) {
                    assertThat(Math.abs(logits[i] - expected[i])).as("%s, folded %s, logit %d", name, fold, i)
                            .isLessThanOrEqualTo(TOLERANCE * most);
                }
            }
        }
    }

    private static double widest(double[] values) {
        double most = 0;
        for (double v : values) {
            most = Math.max(most, Math.abs(v));
        }
        return most;
    }

    @Test
    void whatIsWrittenIsReadBack() {
        Model model = Models.build("efficientnet_b0", options(0.25, 3, 32));
        SequencedMap<String, float[]> weights = weights(model.graph());
        Path file = folder.resolve("w.onnx");
        Map<String, String> metadata = Map.of("model", "efficientnet_b0", "classes", "[\"ä\"]");
        OnnxWriter.write(file, "efficientnet_b0", model.graph(), weights, false, metadata);
        WeightFile read = WeightFile.read(file);
        assertThat(read.format()).isEqualTo(WeightFile.Format.ONNX);
        assertThat(read.weights().metadata()).isEqualTo(metadata);
        Matching found = Matching.match(model.graph(), read.weights());
        assertThat(found.messages()).isEmpty();
        assertThat(found.tensors().keySet()).containsExactlyElementsOf(
                model.graph().states().stream().map(State::name).toList());
        found.tensors().forEach((name, tensor) -> assertThat(tensor.data()).as(name).containsExactly(weights.get(name)));
        assertThat(OnnxRuntimeNet.metadata(file)).isEqualTo(metadata);
        OnnxWriter.write(file, "efficientnet_b0", model.graph(), weights, true, metadata);
        refused(file, "no running statistics of batch norms");
    }

    @Test
    void filesOfPyTorchsExporterAreRead() {
        Map<String, Tensor> tensors = WeightFile.read(TorchFileTest.resource("torch.onnx")).weights().tensors();
        assertThat(tensors.keySet()).containsExactlyInAnyOrder("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean",
                "bn1.running_var", "fc.weight", "fc.bias");
        assertThat(tensors.get("fc.bias").data()).containsExactly(-4 / 8f, -3 / 8f, -2 / 8f, -1 / 8f, 0);
        refused(TorchFileTest.resource("torch-folded.onnx"), "no running statistics of batch norms");
    }

    private static void refused(Path file, String part) {
        assertThatThrownBy(() -> WeightFile.read(file)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.DATA)).hasMessageContaining(file.toString())
                .hasMessageContaining(part).message().doesNotContain("\n");
    }

    /** A file with a tensor "a" of 2 f32 elements, and a running variance, changed. */
    private Path file(Consumer<Onnx.TensorProto.Builder> change) throws IOException {
        var model = Onnx.ModelProto.newBuilder().setIrVersion(8);
        var a = model.getGraphBuilder().addInitializerBuilder().setName("a").setDataType(1).addDims(2)
                .setRawData(ByteString.copyFrom(new byte[]{0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40}));
        change.accept(a);
        model.getGraphBuilder().addInitializerBuilder().setName("n.running_var").setDataType(1).addDims(1).addFloatData(1);
        return Files.write(folder.resolve("a.onnx"), model.build().toByteArray());
    }

    @Test
    void everyTypeIsReadFromWhereItMayBe() throws IOException {
        assertThat(read(_ -> { })).containsExactly(1, 2);
        assertThat(read(t -> t.clearRawData().addFloatData(3).addFloatData(4))).containsExactly(3, 4);
        assertThat(read(t -> t.clearRawData().setDataType(11).addDoubleData(3).addDoubleData(4))).containsExactly(3, 4);
        assertThat(read(t -> t.clearRawData().setDataType(10).addInt32Data(0x3c00).addInt32Data(0xc000)))
                .containsExactly(1, -2);
        assertThat(read(t -> t.setDataType(16).setRawData(ByteString.copyFrom(new byte[]{(byte) 0x80, 0x3f, 0, 0x40}))))
                .containsExactly(1, 2);
        assertThat(WeightFile.read(file(t -> t.setDataType(7).clearRawData().addInt64Data(1).addInt64Data(2))).weights()
                .tensors()).as("shapes and indices are no weights").containsOnlyKeys("n.running_var");
    }

    private float[] read(Consumer<Onnx.TensorProto.Builder> change) throws IOException {
        return WeightFile.read(file(change)).weights().tensors().get("a").data();
    }

    @Test
    void liesAreErrors() throws IOException {
        refused(file(t -> t.setDims(0, 3)), "'a' of shape [3] has 2 elements of data");
        refused(file(t -> t.setDims(0, Integer.MAX_VALUE)), "has 2 elements of data");
        refused(file(t -> t.addDims(Integer.MAX_VALUE).addDims(Integer.MAX_VALUE).addDims(Integer.MAX_VALUE)), "has 2 elements");
        refused(file(t -> t.setDims(0, 1L << 40)), "'a' has the shape");
        refused(file(t -> t.setDims(0, -2)), "'a' has the shape");
        refused(file(t -> t.setRawData(ByteString.copyFrom(new byte[9]))), "2 elements of data");
        refused(file(Onnx.TensorProto.Builder::clearRawData), "0 elements of data");
        refused(file(t -> t.setName("n.running_var")), "two tensors are named");
        refused(file(t -> t.setDataLocation(Onnx.TensorProto.DataLocation.EXTERNAL)), "lies in another file");
        refused(Files.write(folder.resolve("b"), new byte[]{8, 8, 0x3a, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0x7f}),
                "damaged or truncated");
        refused(Files.write(folder.resolve("b"), new byte[]{8, 8, 0x3a, 0}), "no running statistics");
        refused(Files.write(folder.resolve("b"), new byte[]{8, 8, 0x0c}), "damaged");
        refused(Files.write(folder.resolve("b"), new byte[]{8, 8, 8, 8}), "no graph");
    }

    @Test
    void groupsWithinGroupsDoNotExhaustTheStack() throws IOException {
        byte[] groups = new byte[1_000_000];
        java.util.Arrays.fill(groups, (byte) 0x1b);
        groups[0] = 8;
        groups[1] = 8;
        refused(Files.write(folder.resolve("deep"), groups), "damaged or truncated");
    }

    @Test
    void randomDamageIsRefusedOrRead() throws IOException {
        int refused = Damage.read(Files.readAllBytes(TorchFileTest.resource("torch.onnx")), folder.resolve("damaged"), 800, 5);
        assertThat(refused).isBetween(150, 790);
        Model model = Models.build("resnet20", ModelOptions.defaults().withWidth(0.25).withDepth(0.3));
        OnnxWriter.write(folder.resolve("own"), "x", model.graph(), weights(model.graph()), false, Map.of("a", "b"));
        refused = Damage.read(Files.readAllBytes(folder.resolve("own")), folder.resolve("damaged"), 400, 6);
        assertThat(refused).isBetween(50, 399);
    }
}
