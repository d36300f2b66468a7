package io.firn.backend.cuda;

import io.firn.graph.Activation;
import io.firn.graph.Conversion;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Drop;
import io.firn.graph.Elementwise;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Phase;
import io.firn.graph.Pooling;
import io.firn.graph.Shortcut;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.plan.Candidate;
import io.firn.plan.Kernel;
import io.firn.plan.Kernels;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a GPU computes and how, with all activations and gradients NHWC: cuDNN for convolutions, cuBLASLt for the
 * classifier's products, own kernels for all that is bound by memory. Master weights and what the optimizer keeps are
 * dense, as in torchvision's files; the casts before products and the optimizer's step go from one to the other.
 */
public final class CudaKernels implements Kernels {
    private static final String CUDNN = "cudnn";
    private static final String CUBLASLT = "cublaslt";

    @Override
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        return refusal(nodes, outputs).isEmpty();
    }

    @Override
    public Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
        if (nodes.size() == 1 || nodes.stream().allMatch(n -> n.op() instanceof Update)
                || nodes.stream().allMatch(CudaKernels::isWeightCast)) {
            return Optional.empty();
        }
        List<Node> products = nodes.stream().filter(n -> n.op() instanceof Convolution).toList();
        return switch (products.size()) {
            case 0 -> OwnPatterns.refusal(nodes, outputs);
            case 1 -> isDepthwise(products.getFirst()) ? OwnPatterns.depthwise(nodes, outputs)
                    : CudnnPatterns.refusal(nodes, outputs);
            default -> Optional.of("no kernel computes two products");
        };
    }

    private static boolean isWeightCast(Node n) {
        return n.op() instanceof Conversion.Cast && n.phase() != Phase.OPTIMIZER && n.input(0).dtype() == DType.F32;
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

    @Override
    public Layout activationLayout(Graph graph) {
        return Layout.NHWC;
    }

    @Override
    public List<Candidate> candidates(Subgraph s, Layout layout) {
        List<Layout> in = s.inputs().stream().map(v -> input(s, v)).toList();
        List<Layout> out = s.outputs().stream().map(v -> output(s, v)).toList();
        return List.of(new Candidate(kernel(s), in, out, 0, inPlace(s)));
    }

    @Override
    public Candidate conversion(Subgraph casts, List<Layout> from, List<Layout> to) {
        return Candidate.of(Kernel.own("cast"), from, to, 0);
    }

    @Override
    public String versions() {
        return "engines not checked";
    }

    /** States are dense; all else that has four axes is NHWC, be it an activation, a gradient or a weight. */
    private static Layout layout(Value v) {
        return v.shape().rank() == 4 ? Layout.NHWC : Layout.DENSE;
    }

    private static Layout input(Subgraph s, Value v) {
        Node reader = s.nodes().stream().filter(n -> n.inputs().contains(v)).findFirst().orElseThrow();
        boolean state = switch (reader.op()) {
            // The gradient alone comes from a product.
            case Update u -> reader.inputs().indexOf(v) != 1;
            case Linear.Forward l -> true;
            case Linear.Dgrad l -> true;
            case Normalization.FoldWeight f -> true;
            default -> false;
        };
        return state ? Layout.DENSE : layout(v);
    }

    private static Layout output(Subgraph s, Value v) {
        Node writer = s.nodes().stream().filter(n -> n.outputs().contains(v)).findFirst().orElseThrow();
        return writer.op() instanceof Update ? Layout.DENSE : layout(v);
    }

    /** A streaming kernel reads each pixel before it writes it, so that a result may lie where an operand was. */
    private static List<List<Integer>> inPlace(Subgraph s) {
        boolean streams = s.nodes().stream().allMatch(n -> switch (n.op()) {
            case Normalization.FoldWeight f -> false;
            case Normalization x -> true;
            case Activation a -> true;
            case Elementwise e -> true;
            case Gate g -> true;
            case Drop d -> true;
            default -> false;
        });
        List<List<Integer>> places = new ArrayList<>();
        for (Value out : s.outputs()) {
            List<Integer> alike = new ArrayList<>();
            for (int i = 0; i < s.inputs().size(); i++) {
                if (streams && out.shape().rank() == 4 && s.inputs().get(i).type().equals(out.type())) {
                    alike.add(i);
                }
            }
            places.add(alike);
        }
        return places;
    }

    private static Kernel kernel(Subgraph s) {
        Optional<Node> product = s.nodes().stream().filter(n -> n.op() instanceof Convolution).findFirst();
        if (product.isPresent()) {
            return isDepthwise(product.get()) ? Kernel.own("depthwise")
                    : new Kernel(CUDNN, s.nodes().size() == 1 ? "convolution" : "fused convolution", "", 0);
        }
        Node n = s.nodes().getFirst();
        return switch (n.op()) {
            case Linear.BiasGrad l -> Kernel.own("pointwise");
            case Linear l -> s.nodes().size() > 1 ? Kernel.own("excitation") : new Kernel(CUBLASLT, "matmul", "", 0);
            case Update u -> Kernel.own("update");
            case Loss l -> Kernel.own("cross_entropy");
            case Conversion.Normalize c -> Kernel.own("normalize");
            case Conversion.Cast c -> Kernel.own("cast");
            case Normalization.FoldWeight f -> Kernel.own("fold_weight");
            case Shortcut x -> Kernel.own("shortcut");
            case Pooling.MaxGrad p -> Kernel.own("max_pool_grad");
            default -> s.nodes().getLast().op() instanceof Pooling.Max ? Kernel.own("max_pool")
                    : s.nodes().stream().anyMatch(m -> m.op() instanceof Linear.Forward || m.op() instanceof Linear.Dgrad)
                    ? Kernel.own("excitation") : Kernel.own("pointwise");
        };
    }
}
