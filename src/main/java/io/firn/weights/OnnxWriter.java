package io.firn.weights;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.UnsafeByteOperations;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.graph.Graph;
import io.firn.graph.Shape;
import io.firn.graph.Value;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes a network for inference as ONNX (IR version 8, operator set 17, which runtimes since 2022 read): input
 * {@code image} f32 [batch, C, H, W], normalised as the metadata say, and output {@code logits} f32 [batch, classes]. The
 * size of the batch is left open. Weights are initialisers under torchvision's names, so that such a file is also a weight
 * file; metadata become {@code metadata_props}.
 */
public final class OnnxWriter {
    static final int IR_VERSION = 8;
    static final int OPERATOR_SET = 17;
    private static final String BATCH = "batch";

    private OnnxWriter() {
    }

    /**
     * Replaces the file as a whole.
     *
     * @param graph   a network in its training form
     * @param tensors all its parameters and running statistics
     * @param fold    whether batch norms become part of the convolutions before them: a smaller and faster file, which
     *                can no longer be read as weights
     * @throws UserError (other) where the place is unwritable or the disk full, or the network above the 2 GiB that a
     *                   message of protocol buffers may have
     */
    public static void write(Path file, String name, Graph graph, Map<String, float[]> tensors, boolean fold,
                             Map<String, String> metadata) {
        long bytes = Float.BYTES * graph.states().stream().mapToLong(s -> s.value().shape().elements()).sum();
        if (bytes > Integer.MAX_VALUE - (64 << 20)) {
            throw UserError.other("%s: the weights are %,d bytes, and an ONNX file may have 2 GiB: write safetensors", file,
                    bytes);
        }
        Onnx.ModelProto.Builder model = Onnx.ModelProto.newBuilder().setIrVersion(IR_VERSION).setProducerName("firn");
        model.addOpsetImportBuilder().setVersion(OPERATOR_SET);
        new TreeMap<>(metadata).forEach((k, v) -> model.addMetadataPropsBuilder().setKey(k).setValue(v));
        Onnx.GraphProto.Builder out = model.getGraphBuilder().setName(name);
        Value logits = graph.output("logits");
        describe(out.addInputBuilder(), OnnxGraph.INPUT, graph.input(OnnxGraph.INPUT).shape());
        describe(out.addOutputBuilder(), OnnxGraph.OUTPUT, logits.shape());
        new OnnxGraph(graph, tensors, fold, out).add(logits);
        Onnx.ModelProto whole = model.build();
        AtomicFile.write(file, channel -> {
            CodedOutputStream to = CodedOutputStream.newInstance(Channels.newOutputStream(channel));
            whole.writeTo(to);
            to.flush();
        });
    }

    private static void describe(Onnx.ValueInfoProto.Builder value, String name, Shape shape) {
        var type = value.setName(name).getTypeBuilder().getTensorTypeBuilder()
                .setElemType(Onnx.TensorProto.DataType.FLOAT_VALUE);
        type.getShapeBuilder().addDimBuilder().setDimParam(BATCH);
        shape.dims().stream().skip(1).forEach(d -> type.getShapeBuilder().addDimBuilder().setDimValue(d));
    }

    static Onnx.TensorProto tensor(String name, Shape shape, float[] data) {
        ByteBuffer raw = ByteBuffer.allocate(Float.BYTES * data.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(data);
        var tensor = Onnx.TensorProto.newBuilder().setName(name).setDataType(Onnx.TensorProto.DataType.FLOAT_VALUE)
                .setRawData(UnsafeByteOperations.unsafeWrap(raw));
        shape.dims().forEach(tensor::addDims);
        return tensor.build();
    }
}
