package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.Engine;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.Lowering;
import io.firn.backend.cuda.kernels.OwnKernels;
import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Collective;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.plan.Candidate;
import io.firn.plan.Kernel;
import io.firn.plan.Kernels;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a GPU computes and how, with all activations and gradients NHWC: cuDNN for convolutions, own kernels
 * for all that is bound by memory. Master weights and what the optimizer keeps are
 * dense, as in torchvision's files; the casts before products and the optimizer's step go from one to the other.
 */
public final class CudaKernels implements Kernels {
    static final String CUDNN = "cudnn";
    /** Between ranks. */
    static final String NCCL = "nccl";
    /** In the place of an engine's name where cuDNN has none. */
    static final String NO_ENGINE = "has no engine";

    private final Engines engines;
    private final boolean tf32;
    private final Map<CudnnGraph, String> lacking;

    /**
     * @param engines what answers for cuDNN
     * @param tf32    whether products of f32 may be rounded to tf32
     * @param lacking fusions that cuDNN has no engine for, against the rule, and why
     */
    CudaKernels(Engines engines, boolean tf32, Map<CudnnGraph, String> lacking) {
        this.engines = engines;
        this.tf32 = tf32;
        this.lacking = Map.copyOf(lacking);
    }

    /** By the rule of what cuDNN fuses alone. */
    public static CudaKernels unchecked() {
        return new CudaKernels(Engines.notChecked("not asked"), false, Map.of());
    }

    @Override
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        return refusal(nodes, outputs).isEmpty();
    }

    @Override
    public Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
        if (nodes.size() == 1 || own(nodes, outputs).isPresent()) {
            return Optional.empty();
        }
        List<Node> products = nodes.stream().filter(n -> n.op() instanceof Convolution).toList();
        return switch (products.size()) {
            case 0 -> none(nodes);
            case 1 -> isDepthwise(products.getFirst()) ? none(nodes)
                    : CudnnPatterns.refusal(nodes, outputs).or(() -> lacking(nodes, outputs));
            default -> Optional.of("no kernel computes two products");
        };
    }

    private Optional<String> lacking(List<Node> nodes, Set<Value> outputs) {
        return lacking.isEmpty() ? Optional.empty()
                : ways(Subgraph.of(nodes, outputs::contains)).stream().findFirst().map(lacking::get);
    }

    /** What cuDNN may be asked to compute for a subgraph, best first. */
    List<CudnnGraph> ways(Subgraph s) {
        return CudnnCalls.ways(s, tf32);
    }

    private static Optional<String> none(List<Node> nodes) {
        return Optional.of("no kernel computes %s in one launch".formatted(
                String.join("+", nodes.stream().map(n -> n.op().label()).distinct().toList())));
    }

    /** The own kernel for these nodes; empty where none computes them, or cuDNN's is to be taken. */
    private static Optional<OwnKernels> own(List<Node> nodes, Set<Value> outputs) {
        // A product alone is many samples' work at once, a small one beside activations each sample's own.
        List<OwnKernels> inOrder = nodes.size() == 1 && nodes.getFirst().op() instanceof Linear
                ? List.of(OwnKernels.LINEAR, OwnKernels.POINTWISE) : List.of(OwnKernels.values());
        return inOrder.stream().filter(k -> k.supports(nodes, outputs)).findFirst();
    }

    static boolean isDepthwise(Node n) {
        return switch (n.op()) {
            case Convolution.Wgrad w -> Convolution.isDepthwise(w.groups(), n.output().shape());
            case Convolution c -> Convolution.isDepthwise(c.groups(), n.input(1).shape());
            default -> false;
        };
    }

    @Override
    public boolean fusesByBytes() {
        return true;
    }

    @Override
    public boolean copies(Node n) {
        boolean cheap = switch (n.op()) {
            case Normalization.Apply a -> true;
            case Normalization.GradApply g -> true;
            case Activation a -> true;
            case Elementwise e -> true;
            case Gate.Scale g -> true;
            case Drop.DropPath d -> true;
            case Pooling.GlobalAverageGrad g -> true;
            default -> false;
        };
        return cheap && n.output().shape().rank() == 4;
    }

    /** Never: which launch computes what again is chosen by bytes. */
    @Override
    public boolean recomputes(Node consumer) {
        return false;
    }

    /** In f32 nothing casts the weights, yet cuDNN wants them as NHWC. */
    @Override
    public boolean packsWeights(Node n) {
        return n.op() instanceof Convolution && !(n.op() instanceof Convolution.Wgrad) && n.input(1).dtype() == DType.F32;
    }

    /** With four channels where an image has fewer, and nothing but products reads it, which would else copy it. */
    @Override
    public Layout activationLayout(Graph graph) {
        Set<Value> images = new HashSet<>(graph.inputs());
        graph.nodes().stream().filter(n -> n.op() instanceof Conversion.Normalize).forEach(n -> images.add(n.output()));
        return graph.nodes().stream().allMatch(n -> canBePadded(n, images)) ? Layout.NHWC4 : Layout.NHWC;
    }

    private static boolean canBePadded(Node n, Set<Value> images) {
        return switch (n.op()) {
            case Conversion.Normalize c -> true;
            case Convolution.Dgrad d -> d.groups() > 1 || hasEnough(n.input(1));
            case Convolution c when c.groups() == 1 -> hasEnough(n.input(0)) || images.contains(n.input(0));
            default -> n.inputs().stream().allMatch(v -> !images.contains(v) || v.shape().rank() < 4 || hasEnough(v));
        };
    }

    private static boolean hasEnough(Value v) {
        return v.shape().c() >= Lowering.LEAST_CHANNELS;
    }

    @Override
    public List<Candidate> candidates(Subgraph s, Layout layout) {
        Map<Value, Layout> layouts = new HashMap<>();
        s.inputs().forEach(v -> layouts.put(v, input(s, v, layout)));
        s.outputs().forEach(v -> layouts.put(v, output(s, v, layout)));
        List<Layout> in = s.inputs().stream().map(layouts::get).toList();
        List<Layout> out = s.outputs().stream().map(layouts::get).toList();
        if (s.nodes().getFirst().op() instanceof Collective) {
            return List.of(Candidate.inPlace(new Kernel(NCCL, "all_reduce", "", 0), in));
        }
        Optional<OwnKernels> own = own(s.nodes(), Set.copyOf(s.outputs()));
        if (own.isPresent()) {
            return List.of(new Candidate(Kernel.own(own.get().label()), in, out,
                    own.get().calls(s, layouts::get).workspace(), inPlace(s, own.get())));
        }
        List<CudnnGraph> ways = ways(s);
        for (int i = 0; i < ways.size(); i++) {
            Optional<Engine> engine = engines.engine(ways.get(i));
            if (engine.isPresent()) {
                Engine e = engine.get();
                long workspace = CudnnCalls.of(s, ways.get(i), layouts::get).workspace(e.workspace());
                return List.of(Candidate.of(new Kernel(CUDNN, "graph", e.checked() ? e.label() : "", i), in, out, workspace));
            }
        }
        // A product alone has no other way to be planned: the plan says so, and a device refuses to load it.
        return List.of(Candidate.of(new Kernel(CUDNN, "graph", NO_ENGINE, 0), in, out, 0));
    }

    @Override
    public Candidate conversion(Subgraph casts, List<Layout> from, List<Layout> to) {
        return Candidate.of(Kernel.own("cast"), from, to, 0);
    }

    @Override
    public String versions() {
        return engines.versions();
    }

    /** States are dense; all else that has four axes is NHWC, be it an activation, a gradient or a weight. */
    private static Layout layout(Value v) {
        return v.shape().rank() == 4 ? Layout.NHWC : Layout.DENSE;
    }

    private static Layout input(Subgraph s, Value v, Layout images) {
        Node reader = s.nodes().stream().filter(n -> n.inputs().contains(v)).findFirst().orElseThrow();
        boolean state = switch (reader.op()) {
            // A gradient comes from a product, unless it was added up in a state.
            case Update.Average a -> true;
            case Update u -> reader.inputs().indexOf(v) != 1 || State.isGradient(v);
            case Clipping c -> State.isGradient(v);
            case Scaling c -> State.isGradient(v);
            case Linear.Forward l -> true;
            case Linear.Dgrad l -> true;
            case Normalization.FoldWeight f -> true;
            default -> false;
        };
        return Lowering.widens(reader, v) ? images : state ? Layout.DENSE : layout(v);
    }

    private static Layout output(Subgraph s, Value v, Layout images) {
        Node writer = s.nodes().stream().filter(n -> n.outputs().contains(v)).findFirst().orElseThrow();
        return switch (writer.op()) {
            case Update u -> Layout.DENSE;
            case Conversion.Normalize c when Lowering.isFew(v) -> images;
            default -> layout(v);
        };
    }

    /** A streaming kernel reads each pixel before it writes it, so that a result may lie where an operand was. */
    private static List<List<Integer>> inPlace(Subgraph s, OwnKernels kernel) {
        List<List<Integer>> places = new ArrayList<>();
        for (Value out : s.outputs()) {
            List<Integer> alike = new ArrayList<>();
            for (int i = 0; i < s.inputs().size(); i++) {
                if (kernel == OwnKernels.POINTWISE && out.shape().rank() == 4
                        && s.inputs().get(i).type().equals(out.type())) {
                    alike.add(i);
                }
            }
            places.add(alike);
        }
        return places;
    }
}
