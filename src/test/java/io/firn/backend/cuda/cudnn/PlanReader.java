package io.firn.backend.cuda.cudnn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Operation.Mode;
import io.firn.backend.cuda.cudnn.Operation.Window;
import io.firn.graph.DType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a finished execution plan back: what it computes stands in its serialised form, attribute by attribute, and so
 * comes from cuDNN and not from what the descriptors were made of. Its operations are in an order of cuDNN's own.
 */
final class PlanReader {
    private static final Map<String, Mode> MODES = Map.of("ADD", Mode.ADD, "SUB", Mode.SUB, "MUL", Mode.MUL, "IDENTITY",
            Mode.IDENTITY, "RELU_FWD", Mode.RELU, "SWISH_FWD", Mode.SWISH, "SIGMOID_FWD", Mode.SIGMOID, "RELU_BWD", Mode.RELU,
            "SWISH_BWD", Mode.SWISH);
    private static final Map<String, DType> TYPES = Map.of("FLOAT", DType.F32, "BFLOAT16", DType.BF16, "HALF", DType.F16);

    private final Map<String, Tensor> tensors = new HashMap<>();

    private PlanReader() {
    }

    /** @param given says which tensors are inputs and outputs, which is no attribute, and whether tf32 will do */
    static CudnnGraph read(byte[] plan, CudnnGraph given) throws IOException {
        return new PlanReader().read(new ObjectMapper().readTree(plan).get("operationGraph"), given);
    }

    private CudnnGraph read(JsonNode graph, CudnnGraph given) {
        graph.get("tensors").forEach(t -> tensors.put(t.get("name").asText(), tensor(t)));
        List<Operation> operations = new ArrayList<>();
        graph.get("nodes").forEach(n -> operations.add(operation(n)));
        return new CudnnGraph(given.inputs().stream().map(t -> tensors.get("" + t.id())).toList(),
                given.outputs().stream().map(t -> tensors.get("" + t.id())).toList(), operations, given.tf32());
    }

    private static Tensor tensor(JsonNode t) {
        expect(t, "isByValue", "false");
        expect(t, "reordering", "CUDNN_TENSOR_REORDERING_NONE");
        expect(t, "vectCount", "1");
        return new Tensor(t.get("name").asLong(), longs(t.get("dim")), longs(t.get("stride")),
                TYPES.get(after(t, "dataType", "CUDNN_DATA_")), t.get("isVirtual").asBoolean(), t.get("ptrAlignment").asLong());
    }

    private Operation operation(JsonNode n) {
        expect(n, "mathPrec", "CUDNN_DATA_FLOAT");
        String kind = after(n, "operation", "CUDNN_BACKEND_OPERATION_");
        return switch (kind) {
            case "CONVOLUTION_FORWARD_DESCRIPTOR" -> new Operation.ConvolutionForward(at(n, "X"), at(n, "W"), at(n, "Y"),
                    window(n));
            case "CONVOLUTION_BACKWARD_DATA_DESCRIPTOR" -> new Operation.ConvolutionDgrad(at(n, "dY"), at(n, "W"),
                    at(n, "dX"), window(n));
            case "CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR" -> new Operation.ConvolutionWgrad(at(n, "X"), at(n, "dY"),
                    at(n, "dW"), window(n));
            case "MATMUL_DESCRIPTOR" -> new Operation.Matmul(at(n, "matA"), at(n, "matB"), at(n, "matC"));
            case "POINTWISE_DESCRIPTOR" -> pointwise(n);
            case "GEN_STATS_DESCRIPTOR" -> new Operation.Statistics(at(n, "X"), at(n, "Sum"), at(n, "SqSum"));
            case "REDUCTION_DESCRIPTOR" -> {
                expect(n, "reductionOp", "CUDNN_REDUCE_TENSOR_ADD");
                yield new Operation.Sum(at(n, "X"), at(n, "Y"));
            }
            default -> throw new AssertionError(kind + " was never asked for");
        };
    }

    private Operation pointwise(JsonNode n) {
        String name = after(n, "pointwiseMode", "CUDNN_POINTWISE_");
        Mode mode = MODES.get(name);
        expect(n, "alpha1", "1.0");
        expect(n, "alpha2", "1.0");
        if (mode == Mode.RELU) {
            expect(n, "lowerClip", "0.0");
            expect(n, "lowerClipSlope", "0.0");
            expect(n, "upperClip", String.valueOf(Double.MAX_VALUE));
        }
        if (mode == Mode.SWISH) {
            expect(n, "beta", "1.0");
        }
        return name.endsWith("_BWD") ? new Operation.PointwiseGrad(mode, at(n, "dY"), at(n, "X"), at(n, "dX"))
                : new Operation.Pointwise(mode, at(n, "X"), n.has("B") ? Optional.of(at(n, "B")) : Optional.empty(),
                        at(n, "Y"));
    }

    private static Window window(JsonNode n) {
        expect(n, "mode", "CUDNN_CROSS_CORRELATION");
        expect(n, "alpha", "1.0");
        expect(n, "beta", "0.0");
        if (same(n.get("dilation")) != 1) {
            throw new AssertionError("dilated: " + n);
        }
        return new Window(same(n.get("pad")), same(n.get("stride")));
    }

    private Tensor at(JsonNode n, String port) {
        return tensors.get(n.get(port).asText());
    }

    private static List<Long> longs(JsonNode array) {
        List<Long> values = new ArrayList<>();
        array.forEach(v -> values.add(v.asLong()));
        return values;
    }

    private static long same(JsonNode pair) {
        if (pair.size() != 2 || pair.get(0).asLong() != pair.get(1).asLong()) {
            throw new AssertionError(pair + " is no pair of equals");
        }
        return pair.get(0).asLong();
    }

    private static String after(JsonNode n, String key, String prefix) {
        String value = n.get(key).asText();
        if (!value.startsWith(prefix)) {
            throw new AssertionError("%s = %s".formatted(key, value));
        }
        return value.substring(prefix.length());
    }

    private static void expect(JsonNode n, String key, String value) {
        if (!value.equals(n.get(key).asText())) {
            throw new AssertionError("%s is %s, not %s, in %s".formatted(key, n.get(key), value, n));
        }
    }
}
