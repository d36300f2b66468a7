package io.firn.weights;

import static io.firn.weights.Onnx.AttributeProto.AttributeType.FLOAT;
import static io.firn.weights.Onnx.AttributeProto.AttributeType.INT;
import static io.firn.weights.Onnx.AttributeProto.AttributeType.INTS;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A training form's nodes as ONNX operators of inference: batch norms use their running statistics, what drops at random
 * hands its input on. What Firn has as [N, C] after a global average stays [N, C, 1, 1] here, as torchvision's
 * squeeze-and-excitation has it, until the classifier.
 */
final class OnnxGraph {
    static final String INPUT = "image";
    static final String OUTPUT = "logits";

    private final Graph graph;
    private final Map<String, float[]> tensors;
    private final boolean fold;
    private final Onnx.GraphProto.Builder out;
    private final Map<Value, Node> producers;
    private final Map<Value, List<Node>> consumers;
    private final Map<Value, String> names = new HashMap<>();
    private final Set<String> taken = new HashSet<>();

    OnnxGraph(Graph graph, Map<String, float[]> tensors, boolean fold, Onnx.GraphProto.Builder out) {
        this.graph = graph.prune(List.of(OUTPUT), List.of());
        this.tensors = tensors;
        this.fold = fold;
        this.out = out;
        producers = this.graph.producers();
        consumers = this.graph.consumers();
    }

    /** Adds all nodes and weights that the value needs; it becomes the output. */
    void add(Value result) {
        names.put(graph.input(INPUT), INPUT);
        names.put(result, OUTPUT);
        graph.nodes().forEach(this::add);
    }

    private void add(Node n) {
        switch (n.op()) {
            case Convolution.Forward c -> convolution(n, c);
            case Normalization.BatchNorm b -> batchNorm(n, b);
            case Activation.Forward a -> activation(n, a.kind());
            case Pooling.Max m -> maxPool(n, m);
            case Pooling.GlobalAverage _ -> node("GlobalAveragePool", n, of(n.input(0)));
            case Linear.Forward _ -> linear(n);
            case Drop _ -> names.put(n.output(), of(n.input(0)));
            case Elementwise.Add _ -> node("Add", n, of(n.input(0)), of(n.input(1)));
            case Gate.Scale _ -> node("Mul", n, of(n.input(0)), of(n.input(1)));
            case Shortcut.Pad p -> shortcut(n, p);
            case Convolution _, Normalization _, Activation _, Pooling _, Linear _, Gate _, Shortcut _, Conversion _, Loss _,
                 Clipping _, Scaling _, Slicing _, Update _, Collective _ ->
                    throw new IllegalArgumentException(n + " is no part of an inference network");
        }
    }

    private void convolution(Node n, Convolution.Forward c) {
        if (foldedInto(n) == null) {
            Onnx.NodeProto.Builder node = node("Conv", n, of(n.input(0)), weight(n.input(1)));
            attributes(node, c, n.input(1).shape());
        }
    }

    private static void attributes(Onnx.NodeProto.Builder node, Convolution.Forward c, Shape weight) {
        long pad = c.padding();
        ints(node, "kernel_shape", weight.h(), weight.w());
        ints(node, "strides", c.stride(), c.stride());
        ints(node, "pads", pad, pad, pad, pad);
        integer(node, "group", c.groups());
    }

    /** The batch norm that is to be part of this convolution; null where there is none. */
    private Node foldedInto(Node convolution) {
        List<Node> readers = consumers.getOrDefault(convolution.output(), List.of());
        boolean folds = fold && readers.size() == 1 && readers.getFirst().op() instanceof Normalization.BatchNorm
                && convolution.inputs().size() == 2;
        return folds ? readers.getFirst() : null;
    }

    private void batchNorm(Node n, Normalization.BatchNorm b) {
        Node before = producers.get(n.input(0));
        if (before != null && before.op() instanceof Convolution.Forward c && foldedInto(before) == n) {
            Node folded = new Node(before.name(), n.phase(), c, before.inputs(), List.of(n.output()));
            attributes(node("Conv", folded, of(before.input(0)), scaled(before.input(1), n, b), shift(before, n, b)), c,
                    before.input(1).shape());
            return;
        }
        var node = node("BatchNormalization", n, of(n.input(0)), weight(n.input(1)), weight(n.input(2)),
                weight(n.input(3)), weight(n.input(4)));
        node.addAttributeBuilder().setName("epsilon").setType(FLOAT).setF((float) b.eps());
    }

    /** Of channel i: weight / √(variance + eps). */
    private double scale(Node norm, Normalization.BatchNorm b, int i) {
        return data(norm.input(1))[i] / Math.sqrt(data(norm.input(4))[i] + b.eps());
    }

    private String scaled(Value weight, Node norm, Normalization.BatchNorm b) {
        float[] data = data(weight).clone();
        int each = data.length / weight.shape().n();
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) (data[i] * scale(norm, b, i / each));
        }
        out.addInitializer(OnnxWriter.tensor(weight.name(), weight.shape(), data));
        return weight.name();
    }

    private String shift(Node convolution, Node norm, Normalization.BatchNorm b) {
        float[] data = data(norm.input(2)).clone();
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) (data[i] - data(norm.input(3))[i] * scale(norm, b, i));
        }
        String name = convolution.name() + ".bias";
        out.addInitializer(OnnxWriter.tensor(name, norm.input(2).shape(), data));
        return name;
    }

    private void activation(Node n, Activation.Kind kind) {
        String x = of(n.input(0));
        switch (kind) {
            case RELU -> node("Relu", n, x);
            case SIGMOID -> node("Sigmoid", n, x);
            case SILU -> {
                String gate = intermediate("Sigmoid", n.name() + ".sigmoid", x);
                node("Mul", n, x, gate);
            }
        }
    }

    private void maxPool(Node n, Pooling.Max m) {
        var node = node("MaxPool", n, of(n.input(0)));
        ints(node, "kernel_shape", m.kernel(), m.kernel());
        ints(node, "strides", m.stride(), m.stride());
        ints(node, "pads", m.padding(), m.padding(), m.padding(), m.padding());
    }

    private void linear(Node n) {
        Value w = n.input(1);
        if (w.shape().rank() == 4) {
            node("Conv", n, of(n.input(0)), weight(w), weight(n.input(2)));
            return;
        }
        String flat = intermediate("Flatten", n.name() + ".flatten", of(n.input(0)));
        integer(node("Gemm", n, flat, weight(w), weight(n.input(2))), "transB", 1);
    }

    /** Every so many pixels, with channels of zeros on both sides. */
    private void shortcut(Node n, Shortcut.Pad p) {
        long stride = p.stride();
        String name = n.name();
        String x = intermediate("Slice", name + ".slice", of(n.input(0)), constant(name + ".starts", 0, 0),
                constant(name + ".ends", Integer.MAX_VALUE, Integer.MAX_VALUE), constant(name + ".axes", 2, 3),
                constant(name + ".steps", stride, stride));
        long side = (p.channels() - n.input(0).shape().c()) / 2;
        node("Pad", n, x, constant(name + ".pads", 0, side, 0, 0, 0, side, 0, 0));
    }

    private String of(Value v) {
        return names.get(v);
    }

    /** The name of a weight, which is added at its first use. */
    private String weight(Value v) {
        if (taken.add(v.name())) {
            out.addInitializer(OnnxWriter.tensor(v.name(), v.shape(), data(v)));
        }
        return v.name();
    }

    private float[] data(Value v) {
        float[] data = tensors.get(v.name());
        if (data == null) {
            throw new IllegalArgumentException("no tensor is named " + v.name());
        }
        return data;
    }

    private Onnx.NodeProto.Builder node(String op, Node n, String... inputs) {
        names.putIfAbsent(n.output(), n.name());
        return out.addNodeBuilder().setOpType(op).setName(n.name()).addAllInput(List.of(inputs)).addOutput(of(n.output()));
    }

    private String intermediate(String op, String name, String... inputs) {
        addNode(op, name, inputs);
        return name;
    }

    private Onnx.NodeProto.Builder addNode(String op, String name, String... inputs) {
        return out.addNodeBuilder().setOpType(op).setName(name).addAllInput(List.of(inputs)).addOutput(name);
    }

    private String constant(String name, long... values) {
        ints(addNode("Constant", name), "value_ints", values);
        return name;
    }

    private static void ints(Onnx.NodeProto.Builder node, String name, long... values) {
        var attribute = node.addAttributeBuilder().setName(name).setType(INTS);
        for (long v : values) {
            attribute.addInts(v);
        }
    }

    private static void integer(Onnx.NodeProto.Builder node, String name, long value) {
        node.addAttributeBuilder().setName(name).setType(INT).setI(value);
    }
}
