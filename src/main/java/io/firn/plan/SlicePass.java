package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shortcut;
import io.firn.graph.Slicing;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Computes a network's first layers slice by slice of the batch, where nothing that they compute is needed again but the
 * last one's result: where they are frozen, and in evaluations. Large maps then take the memory of a few images, and what
 * a layer writes is still in the cache when the next one reads it. Weights, which are prepared once, are the same for all.
 *
 * <pre>
 * pixels → stem → stage → y   →   pixels[0..4) → stem → stage ↘
 *                                 pixels[4..8) → stem → stage → y
 * </pre>
 */
final class SlicePass {
    private final Graph graph;
    private final Layout layout;
    private final long limit;
    /** What is computed of pixels and weights alone, image by image, in the graph's order. */
    private final List<Node> region = new ArrayList<>();

    private SlicePass(Graph graph, Layout layout, long limit) {
        this.graph = graph;
        this.layout = layout;
        this.limit = limit;
    }

    /** @param g after all passes that may copy or replace nodes */
    static Graph run(Graph g, Kernels kernels) {
        return kernels.slices().isEmpty() ? g
                : new SlicePass(g, kernels.activationLayout(g), kernels.slices().getAsLong()).slice();
    }

    private Graph slice() {
        List<Value> pixels = graph.inputs().stream().filter(v -> v.shape().rank() == 4).toList();
        if (pixels.size() != 1) {
            return graph;
        }
        collect(pixels.getFirst());
        List<Node> sliced = region.subList(0, end());
        if (sliced.isEmpty()) {
            return graph;
        }
        Value result = crossing(sliced).iterator().next();
        // The result is there as a whole in any case.
        long largest = sliced.stream().flatMap(n -> n.outputs().stream()).filter(v -> v != result)
                .mapToLong(v -> v.type().bytes()).max().orElse(0);
        int batch = pixels.getFirst().shape().n();
        int slices = (int) Math.min(Math.ceilDiv(largest, limit), batch);
        while (slices > 1 && batch % slices != 0) {
            slices++;
        }
        if (slices <= 1) {
            return graph;
        }
        return slice(pixels.getFirst(), sliced, result, slices);
    }

    private void collect(Value pixels) {
        Set<Value> ofPixels = new HashSet<>(Set.of(pixels));
        Set<Value> ofInputs = new HashSet<>(graph.inputs());
        for (Node n : graph.nodes()) {
            if (n.inputs().stream().noneMatch(ofInputs::contains)) {
                continue;
            }
            ofInputs.addAll(n.outputs());
            if (isByImage(n.op()) && n.inputs().stream().allMatch(v -> ofPixels.contains(v) || !ofInputs.contains(v))) {
                ofPixels.addAll(n.outputs());
                region.add(n);
            }
        }
    }

    /** Whether it computes each image of its first operand by itself; further operands may be the same for all. */
    private static boolean isByImage(Op op) {
        return switch (op) {
            case Conversion _, Convolution.Forward _, Normalization.Affine _, Activation.Forward _, Elementwise _,
                 Gate.Scale _, Linear.Forward _, Pooling.Max _, Pooling.GlobalAverage _, Shortcut.Pad _ -> true;
            case Activation _, Clipping _, Collective _, Convolution _, Drop _, Gate _, Linear _, Loss _, Normalization _,
                 Pooling _, Scaling _, Shortcut _, Slicing _, Update _ -> false;
        };
    }

    /** How many nodes of the region are sliced: those up to the first narrow place after which no value is too large. */
    private int end() {
        int last = region.size();
        while (last > 0 && region.get(last - 1).outputs().stream().noneMatch(v -> v.type().bytes() > limit)) {
            last--;
        }
        if (last == 0) {
            return 0;
        }
        // After the last large value, else as near before it as can be.
        return IntStream.concat(IntStream.rangeClosed(last, region.size()), IntStream.iterate(last - 1, i -> i > 0, i -> i - 1))
                .filter(this::isNarrow).findFirst().orElse(0);
    }

    /** Whether a single value leaves the first nodes of the region, and can be joined. */
    private boolean isNarrow(int nodes) {
        Set<Value> crossing = crossing(region.subList(0, nodes));
        return crossing.size() == 1 && canBeJoined(crossing.iterator().next());
    }

    /** Whether each image of it begins where a buffer may. */
    private boolean canBeJoined(Value v) {
        Layout l = v.shape().rank() == 4 ? layout : Layout.DENSE;
        return l.bytes(Slicing.images(v.type(), 1)) % Buffer.ALIGNMENT == 0;
    }

    /** Values of these nodes that others read, or the caller. */
    private Set<Value> crossing(List<Node> nodes) {
        Set<Node> inside = new HashSet<>(nodes);
        Set<Value> read = new HashSet<>(graph.outputs().values());
        read.addAll(graph.updates().values());
        graph.nodes().stream().filter(n -> !inside.contains(n)).forEach(n -> read.addAll(n.inputs()));
        Set<Value> crossing = new HashSet<>();
        nodes.forEach(n -> n.outputs().stream().filter(read::contains).forEach(crossing::add));
        return crossing;
    }

    private Graph slice(Value pixels, List<Node> nodes, Value result, int slices) {
        GraphBuilder b = GraphBuilder.rewriting(graph);
        Set<Node> inside = new HashSet<>(nodes);
        for (Node n : graph.nodes()) {
            if (!inside.contains(n)) {
                b.copy(n);
            }
            if (n == nodes.getLast()) {
                List<Value> parts = new ArrayList<>();
                int images = pixels.shape().n() / slices;
                for (int i = 0; i < slices; i++) {
                    parts.add(slice(b, pixels, nodes, i * images, images).get(result));
                }
                b.phase(n.phase());
                b.replace(result, b.addAll(result.name(), new Slicing.Cat(), parts).getFirst());
            }
        }
        b.copyResults(graph);
        return b.build();
    }

    /** The nodes over some of the images: what stands there for each of their values. */
    private static Map<Value, Value> slice(GraphBuilder b, Value pixels, List<Node> nodes, int start, int images) {
        String which = "[%d:%d]".formatted(start, start + images);
        Map<Value, Value> here = new HashMap<>();
        b.phase(nodes.getFirst().phase());
        here.put(pixels, b.add(pixels.name() + which, new Slicing.Narrow(start, images), pixels));
        for (Node n : nodes) {
            b.phase(n.phase());
            List<Value> out = b.addAll(n.name() + which, n.op(), n.inputs().stream()
                    .map(v -> here.getOrDefault(v, b.mapped(v))).toList());
            for (int i = 0; i < out.size(); i++) {
                here.put(n.outputs().get(i), out.get(i));
            }
        }
        return here;
    }
}
