package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import io.firn.graph.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The initialisers of an ONNX file that are weights, by their names, and its metadata. Its nodes are skipped: a file's names
 * say what its tensors are, and Firn has the graph already.
 */
final class OnnxReader {
    private static final int MODEL_GRAPH = field(Onnx.ModelProto.GRAPH_FIELD_NUMBER);
    private static final int MODEL_METADATA = field(Onnx.ModelProto.METADATA_PROPS_FIELD_NUMBER);
    private static final int GRAPH_INITIALIZER = field(Onnx.GraphProto.INITIALIZER_FIELD_NUMBER);
    private static final int IR_VERSION = Onnx.ModelProto.IR_VERSION_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_VARINT;

    private final CodedInputStream in;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new HashMap<>();
    private boolean hasGraph;

    private OnnxReader(ByteBuffer bytes) {
        in = CodedInputStream.newInstance(bytes);
        // Raw data stay where they are until they are turned into numbers.
        in.enableAliasing(true);
    }

    private static int field(int number) {
        return number << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;
    }

    /** Whether a file that begins so may be one: a message whose first field is the version of ONNX, as all write it. */
    static boolean is(byte[] head) {
        return head.length > 2 && head[0] == IR_VERSION && head[1] > 0;
    }

    static Weights read(Path file) throws IOException {
        try (FileChannel in = FileChannel.open(file); Arena arena = Arena.ofConfined()) {
            if (in.size() > Integer.MAX_VALUE) {
                throw new Malformed("%d bytes, and no message of protocol buffers has more than 2 GiB", in.size());
            }
            var mapped = in.map(FileChannel.MapMode.READ_ONLY, 0, in.size(), arena);
            OnnxReader reader = new OnnxReader(mapped.asByteBuffer());
            reader.readModel();
            return new Weights(reader.tensors, reader.metadata);
        } catch (InvalidProtocolBufferException e) {
            throw new Malformed("damaged or truncated, or no ONNX file: %s", quote(e.getMessage()));
        }
    }

    private void readModel() throws IOException {
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            if (tag == MODEL_GRAPH) {
                hasGraph = true;
                int outer = in.pushLimit(in.readRawVarint32());
                readGraph();
                in.popLimit(outer);
            } else if (tag == MODEL_METADATA) {
                var entry = Onnx.StringStringEntryProto.parser().parseFrom(in.readBytes());
                metadata.put(entry.getKey(), entry.getValue());
            } else {
                skip(tag);
            }
        }
        if (!hasGraph) {
            throw new Malformed("no graph: damaged, or no ONNX file");
        }
        // All of Firn's networks have some, and exporters for inference fold them into convolutions by default.
        if (tensors.keySet().stream().noneMatch(n -> n.endsWith(Weights.VARIANCE))) {
            throw new Malformed("no running statistics of batch norms are in this ONNX file: they were folded into the "
                    + "convolutions; export it unfolded (torch.onnx.export(…, optimize=False)), or take the .pth");
        }
    }

    private void readGraph() throws IOException {
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            if (tag == GRAPH_INITIALIZER) {
                add(Onnx.TensorProto.parseFrom(in.readBytes()));
            } else {
                skip(tag);
            }
        }
    }

    private void skip(int tag) throws IOException {
        if (!in.skipField(tag)) {
            throw new Malformed("damaged, or no ONNX file: a group ends that never began");
        }
    }

    /** Constants of other types, such as shapes, are no weights; whole numbers are kept for counts of batches. */
    private void add(Onnx.TensorProto t) throws Malformed {
        String name = t.getName();
        Element element = switch (Onnx.TensorProto.DataType.forNumber(t.getDataType())) {
            case FLOAT -> Element.F32;
            case FLOAT16 -> Element.F16;
            case BFLOAT16 -> Element.BF16;
            case DOUBLE -> Element.F64;
            case INT64 -> name.endsWith(Weights.COUNT) ? Element.I64 : null;
            case UNDEFINED, UNRECOGNIZED -> null;
            case null -> null;
        };
        if (element == null) {
            return;
        }
        if (t.getDataLocation() == Onnx.TensorProto.DataLocation.EXTERNAL) {
            throw new Malformed("tensor %s lies in another file: export the model into one (external_data=False)",
                    quote(name));
        }
        Shape shape = shape(name, t.getDimsList());
        long elements = elements(shape);
        ByteString raw = t.getRawData();
        long given = !raw.isEmpty() ? raw.size() / element.bytes() : switch (element) {
            case F32 -> t.getFloatDataCount();
            case F64 -> t.getDoubleDataCount();
            case F16, BF16 -> t.getInt32DataCount();
            case I64 -> t.getInt64DataCount();
        };
        if (given != elements || raw.size() % element.bytes() != 0) {
            throw new Malformed("tensor %s of shape %s has %d elements of data", quote(name), shape, given);
        }
        float[] data = new float[(int) elements];
        ByteBuffer bytes = raw.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer half = ByteBuffer.allocate(Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < data.length; i++) {
            data[i] = !raw.isEmpty() ? element.read(bytes) : switch (element) {
                case F32 -> t.getFloatData(i);
                case F64 -> (float) t.getDoubleData(i);
                case F16, BF16 -> element.read(half.putShort(0, (short) t.getInt32Data(i)).rewind());
                case I64 -> t.getInt64Data(i);
            };
        }
        if (tensors.put(name, new Tensor(shape, data)) != null) {
            throw new Malformed("two tensors are named %s", quote(name));
        }
    }

    private static Shape shape(String name, List<Long> dims) throws Malformed {
        if (dims.size() > TorchTensors.MAX_RANK || dims.stream().anyMatch(d -> d < 1 || d > Integer.MAX_VALUE)) {
            throw new Malformed("tensor %s has the shape %s", quote(name), dims.stream().limit(TorchTensors.MAX_RANK)
                    .toList());
        }
        return new Shape(dims.stream().map(Long::intValue).toList());
    }

    /** Saturates, which no data has. */
    private static long elements(Shape shape) {
        long n = 1;
        for (int d : shape.dims()) {
            n = n > Long.MAX_VALUE / d ? Long.MAX_VALUE : n * d;
        }
        return n;
    }
}
