package io.firn.plan;

import io.firn.graph.Activation;
import io.firn.graph.Convolution;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A catalogue that does all that planning can make use of: fuses whatever is computed element by element over one shape,
 * and what follows a convolution with a bias; packs weights, works in place, recomputes, and wants workspaces.
 */
record GreedyKernels(Layout layout) implements Kernels {

    @Override
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        return nodes.size() == 1 || pointwise(nodes) || epilogue(nodes, outputs);
    }

    /** Whether all nodes walk over activations of one shape, or are made for one shape's channels. */
    private static boolean pointwise(List<Node> nodes) {
        Set<List<Integer>> maps = new HashSet<>();
        Set<Integer> channels = new HashSet<>();
        for (Node n : nodes) {
            if (!pointwise(n.op())) {
                return false;
            }
            List<Value> all = new ArrayList<>(n.inputs());
            all.addAll(n.outputs());
            for (Value v : all) {
                if (v.shape().rank() == 4) {
                    maps.add(v.shape().dims());
                }
            }
            boolean overMap = all.stream().anyMatch(v -> v.shape().rank() == 4);
            boolean overVectors = n.op() instanceof Normalization;
            if (!overMap && !overVectors) {
                return false;
            }
            channels.add(overMap ? all.stream().filter(v -> v.shape().rank() == 4).findFirst().orElseThrow().shape().c()
                    : n.output().shape().dim(0));
        }
        return maps.size() == 1 && channels.size() == 1;
    }

    private static boolean pointwise(Op op) {
        return switch (op) {
            case Normalization.FoldWeight f -> false;
            case Normalization.BatchNorm b -> false;
            case Normalization n -> true;
            case Activation a -> true;
            case Elementwise e -> true;
            case Gate g -> true;
            case Pooling.GlobalAverage g -> true;
            case Pooling.GlobalAverageGrad g -> true;
            case Drop.DropPath d -> true;
            default -> false;
        };
    }

    /** conv(x, w, bias), then a sum, then an activation, of which only the last is seen. */
    private static boolean epilogue(List<Node> nodes, Set<Value> outputs) {
        Node conv = nodes.getFirst();
        if (!(conv.op() instanceof Convolution.Forward) || conv.inputs().size() != 3
                || !outputs.equals(Set.of(nodes.getLast().output()))) {
            return false;
        }
        List<Node> rest = nodes.subList(1, nodes.size());
        boolean sum = rest.getFirst().op() instanceof Elementwise.Add;
        List<Node> last = sum ? rest.subList(1, rest.size()) : rest;
        return last.size() <= 1 && last.stream().allMatch(n -> n.op() instanceof Activation.Forward);
    }

    @Override
    public boolean recomputes(Node consumer) {
        return consumer.op() instanceof Activation.Grad || consumer.op() instanceof Gate;
    }

    @Override
    public boolean packsWeights(Node product) {
        return product.op() instanceof Convolution;
    }

    @Override
    public Layout activationLayout(Graph graph) {
        return layout;
    }

    @Override
    public List<Candidate> candidates(Subgraph s, Layout activations) {
        Node anchor = s.anchor();
        List<Layout> in = new ArrayList<>();
        for (Value v : s.inputs()) {
            boolean packed = v.name().endsWith(".pack") && anchor.op() instanceof Convolution;
            in.add(packed ? packed(v) : OperandLayouts.input(s, v, activations));
        }
        List<Layout> out = new ArrayList<>();
        for (Value v : s.outputs()) {
            out.add(anchor.op() instanceof Convolution.Wgrad ? packed(v) : OperandLayouts.output(s, v, activations));
        }
        // No multiple of the alignment, so that what ends between two shows.
        long workspace = anchor.op() instanceof Convolution ? 36L + 4 * anchor.output().shape().elements() / 7 : 0;
        return List.of(new Candidate(Kernel.own(s.nodes().size() == 1 ? anchor.op().label() : "fused"), in, out,
                workspace, inPlace(s, in, out)));
    }

    @Override
    public Candidate conversion(Subgraph cast, List<Layout> from, List<Layout> to) {
        return Candidate.of(Kernel.own("cast"), from, to, 0);
    }

    /** Larger than the content, and another one for each direction, as a library's own layouts are. */
    private static Layout packed(Value v) {
        Type t = v.type();
        String direction = v.name().contains("dgrad") ? "dgrad" : v.name().contains("wgrad") ? "wgrad" : "forward";
        return new Layout.Opaque(direction + t.shape(), t.bytes() + 4L * direction.length());
    }

    /** Each activation that comes out may take over any of the same type that goes in. */
    private static List<List<Integer>> inPlace(Subgraph s, List<Layout> in, List<Layout> out) {
        boolean pointwise = s.nodes().stream().allMatch(n -> pointwise(n.op()));
        boolean epilogue = s.nodes().getFirst().op() instanceof Convolution && s.nodes().size() > 1;
        // The convolution still reads its own operands when the first results are written.
        int first = epilogue ? s.nodes().getFirst().inputs().size() : pointwise ? 0 : in.size();
        List<List<Integer>> places = new ArrayList<>();
        for (int o = 0; o < out.size(); o++) {
            List<Integer> alike = new ArrayList<>();
            for (int i = first; i < in.size(); i++) {
                if (s.outputs().get(o).shape().rank() == 4 && in.get(i).equals(out.get(o))
                        && s.inputs().get(i).type().equals(s.outputs().get(o).type())) {
                    alike.add(i);
                }
            }
            places.add(alike);
        }
        return places;
    }

    @Override
    public String versions() {
        return "greedy";
    }
}
