package io.firn.backend.cpu;

import io.firn.graph.Activation;
import io.firn.graph.Clipping;
import io.firn.graph.Conversion;
import io.firn.graph.Collective;
import io.firn.graph.Convolution;
import io.firn.graph.DType;
import io.firn.graph.Gate;
import io.firn.graph.Graph;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.Slicing;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.plan.Candidate;
import io.firn.plan.Kernel;
import io.firn.plan.Kernels;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import io.firn.plan.TuningTable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** What the CPU computes and how: oneDNN for products and pooling, own kernels for all that is bound by memory. */
final class CpuKernels implements Kernels {
    static final String ONEDNN = "onednn";
    static final String ALL_REDUCE = "all_reduce";
    /** Raised when own kernels that compete with the library's are added or become faster: what was measured before is stale. */
    private static final int OWN_KERNELS = 3;
    /** Bytes of weights (averages counted too) in a launch of the optimizer: their gradients are all in memory before it. */
    private static final long UPDATED_AT_ONCE = 4L << 20;
    private static final int LARGEST_OWN_DEPTHWISE = 7;
    /** Of frozen layers, in bytes: what follows then finds most of it in the processor's cache. */
    private static final long LARGEST_VALUE = 20L << 20;

    private final Descriptors descriptors;
    private final TuningTable table;
    private final Layout activations;

    CpuKernels(Descriptors descriptors, TuningTable table, Layout activations) {
        this.descriptors = descriptors;
        this.table = table;
        this.activations = activations;
    }

    /** Images of one or three channels are not worth a block of 16; oneDNN reads them by planes there. */
    static Layout layout(Shape s, Layout activations) {
        return s.c() >= 8 ? activations : activations == Layout.BLOCKED16 ? Layout.DENSE : Layout.NHWC;
    }

    @Override
    public Layout activationLayout(Graph graph) {
        return graph.nodes().stream().anyMatch(CpuKernels::hasNarrowGroups) ? Layout.NHWC : activations;
    }

    /** oneDNN has only its reference for groups that do not fill a block of 16 channels, as the first ones of ResNeXt. */
    private static boolean hasNarrowGroups(Node n) {
        if (!(n.op() instanceof Convolution.Forward f) || f.groups() == 1) {
            return false;
        }
        Shape w = n.input(1).shape();
        return !Convolution.isDepthwise(f.groups(), w) && (w.dim(1) % 16 != 0 || w.dim(0) / f.groups() % 16 != 0);
    }

    @Override
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        if (nodes.size() == 1) {
            return true;
        }
        if (nodes.stream().allMatch(n -> n.op() instanceof Update)) {
            return nodes.stream().mapToLong(n -> n.output().type().bytes()).sum() <= UPDATED_AT_ONCE;
        }
        if (winograd(nodes, activations).isPresent()) {
            return outputs.equals(Set.of(nodes.getLast().output()));
        }
        Optional<Product> product = Product.of(nodes, activations);
        if (product.isPresent()) {
            return outputs.equals(Set.of(nodes.getLast().output())) && descriptors.convolution(product.get(), 0).isPresent();
        }
        return FusedKernel.supports(nodes);
    }

    /** What these nodes are as a Winograd convolution, where the table says that it is the fastest. */
    private Optional<Winograd> winograd(List<Node> nodes, Layout layout) {
        return Winograd.asProduct(nodes, layout).filter(p -> Winograd.NAME.equals(table.choices().get(p.key())))
                .flatMap(Winograd::of);
    }

    @Override
    public boolean recomputes(Node consumer) {
        return switch (consumer.op()) {
            case Activation.Grad g -> consumer.output().shape().rank() == 4;
            case Gate g -> true;
            default -> false;
        };
    }

    @Override
    public boolean packsWeights(Node n) {
        return n.op() instanceof Convolution && !ownDepthwise(n) && !ownGray(n);
    }

    @Override
    public OptionalLong slices() {
        return OptionalLong.of(LARGEST_VALUE);
    }

    /** oneDNN has no good weight gradient for depthwise kernels of 5, and none better than ours for 3. */
    private static boolean ownDepthwise(Node n) {
        return n.op() instanceof Convolution.Wgrad w && Convolution.isDepthwise(w.groups(), n.output().shape())
                && w.kernel() <= LARGEST_OWN_DEPTHWISE && w.padding() == w.kernel() / 2 && w.kernel() % 2 == 1;
    }

    /** In bf16 oneDNN has nothing but its reference code for a single input channel. */
    private static boolean ownGray(Node n) {
        return n.op() instanceof Convolution.Wgrad w && w.groups() == 1 && n.input(0).shape().c() == 1
                && n.input(0).dtype() == DType.BF16;
    }

    @Override
    public List<Candidate> candidates(Subgraph s, Layout layout) {
        Optional<Winograd> winograd = winograd(s.nodes(), layout);
        if (winograd.isPresent()) {
            Value weights = Winograd.weights(s.nodes());
            return List.of(Candidate.of(Kernel.own("winograd_" + winograd.get().direction().name().toLowerCase()),
                    s.inputs().stream().map(v -> v.equals(weights) ? Layout.DENSE : activation(v, layout)).toList(),
                    s.outputs().stream().map(v -> v.equals(weights) ? Layout.DENSE : layout(v.shape(), layout)).toList(),
                    WinogradKernel.workspace(descriptors, winograd.get())));
        }
        Node n = s.nodes().getFirst();
        if (n.op() instanceof Collective) {
            return List.of(Candidate.inPlace(Kernel.own(ALL_REDUCE), s.inputs().stream().map(_ -> Layout.DENSE).toList()));
        }
        Optional<Product> product = Product.of(s.nodes(), layout);
        if (product.isPresent() && !ownDepthwise(n) && !ownGray(n)) {
            return List.of(convolution(s, product.get()));
        }
        if (s.nodes().size() > 1 && !(n.op() instanceof Update) || FusedKernel.supports(s.nodes())) {
            return List.of(fused(s, layout));
        }
        Kernel kernel = switch (n.op()) {
            case Linear.Wgrad w -> new Kernel(ONEDNN, "inner_product_wgrad", descriptors.linear(matrices(n)).implementation(), 0);
            case Pooling.Max m -> new Kernel(ONEDNN, "pooling", descriptors.pool(pool(s, layout)).implementation(), 0);
            case Pooling.MaxGrad m -> new Kernel(ONEDNN, "pooling_grad", descriptors.pool(pool(s, layout)).implementation(), 0);
            case Convolution.Wgrad w -> Kernel.own(ownGray(n) ? "gray_wgrad" : "depthwise_wgrad");
            case Update u -> Kernel.own("update");
            default -> Kernel.own(n.op().label());
        };
        long workspace = switch (n.op()) {
            case Linear.Wgrad w -> descriptors.linear(matrices(n)).scratch();
            case Pooling.Max m -> descriptors.pool(pool(s, layout)).scratch();
            case Pooling.MaxGrad m -> descriptors.pool(pool(s, layout)).scratch();
            default -> 0;
        };
        return List.of(Candidate.of(kernel, s.inputs().stream().map(v -> operand(n.op(), v, layout)).toList(),
                s.outputs().stream().map(v -> operand(n.op(), v, layout)).toList(), workspace));
    }

    private Candidate convolution(Subgraph s, Product p) {
        Descriptor d = choose(p);
        Node n = s.nodes().getFirst();
        Map<Value, Layout> layouts = new HashMap<>();
        long[] weightDims = OneDnn.weightDims(p.w(), p.groups());
        switch (p.direction()) {
            case FORWARD -> {
                layouts.put(n.input(0), p.xLayout());
                layouts.put(n.input(1), descriptors.opaque(d.weights(), weightDims));
                layouts.put(s.nodes().getLast().output(), p.yLayout());
                if (p.bias()) {
                    layouts.put(n.input(2), Layout.DENSE);
                }
                if (p.residual()) {
                    layouts.put(Product.residualOf(s.nodes()), p.yLayout());
                }
            }
            case DGRAD -> {
                layouts.put(n.input(0), p.yLayout());
                layouts.put(n.input(1), descriptors.opaque(d.weights(), weightDims));
                layouts.put(n.output(), p.xLayout());
            }
            case WGRAD -> {
                layouts.put(n.input(0), p.xLayout());
                layouts.put(n.input(1), p.yLayout());
                layouts.put(n.output(), descriptors.opaque(d.weightGradient(), weightDims));
            }
        }
        return Candidate.of(new Kernel(ONEDNN, "convolution_" + p.direction().name().toLowerCase(), d.implementation(),
                d.variant()), s.inputs().stream().map(layouts::get).toList(), s.outputs().stream().map(layouts::get).toList(),
                d.scratch());
    }

    /** The implementation that was measured to be the fastest, else the first that is not known to be pathological. */
    private Descriptor choose(Product p) {
        String measured = table.choices().get(p.key());
        if (measured != null) {
            int variant = Integer.parseInt(measured.substring(measured.lastIndexOf('#') + 1));
            Optional<Descriptor> d = descriptors.convolution(p, variant).filter(v -> name(v).equals(measured));
            if (d.isPresent()) {
                return d.get();
            }
        }
        if (p.depthwise()) {
            for (Descriptor d : descriptors.convolutions(p)) {
                if (d.implementation().startsWith("jit_dw") || d.implementation().startsWith("jit_uni_dw")) {
                    return d;
                }
            }
        }
        return descriptors.convolution(p, 0).orElseThrow(() -> new IllegalStateException("oneDNN has no " + p.key()));
    }

    /** Names an implementation among those of its product; two may share oneDNN's text, but not the number. */
    static String name(Descriptor d) {
        return d.implementation() + "#" + d.variant();
    }

    private Candidate fused(Subgraph s, Layout layout) {
        List<Layout> in = s.inputs().stream().map(v -> activation(v, layout)).toList();
        List<Layout> out = s.outputs().stream().map(v -> activation(v, layout)).toList();
        Set<Value> last = writtenLast(s.nodes());
        List<List<Integer>> inPlace = new ArrayList<>(Collections.nCopies(out.size(), List.of()));
        for (int o = 0; o < out.size(); o++) {
            Value v = s.outputs().get(o);
            if (v.shape().rank() == 4 && last.contains(v)) {
                List<Integer> may = new ArrayList<>();
                for (int i = 0; i < in.size(); i++) {
                    if (s.inputs().get(i).type().equals(v.type())) {
                        may.add(i);
                    }
                }
                inPlace.set(o, List.copyOf(may));
            }
        }
        return new Candidate(Kernel.own("fused"), in, out, 0, inPlace);
    }

    /**
     * Results of the last pass over the activations: only these may be written over an operand, since every other one
     * is still to be read.
     */
    private static Set<Value> writtenLast(List<Node> nodes) {
        Set<Value> afterSums = new HashSet<>();
        Set<Value> all = new HashSet<>();
        boolean sums = false;
        for (Node n : nodes) {
            boolean sum = n.op() instanceof Normalization.Statistics || n.op() instanceof Normalization.GradSums;
            sums |= sum;
            if (sum || n.inputs().stream().anyMatch(afterSums::contains)) {
                afterSums.addAll(n.outputs());
            }
            all.addAll(n.outputs());
        }
        return sums ? afterSums : all;
    }

    private Layout activation(Value v, Layout layout) {
        return v.shape().rank() == 4 ? layout(v.shape(), layout) : Layout.DENSE;
    }

    /** Layout of an operand of a launch that is one node. */
    private Layout operand(Op op, Value v, Layout layout) {
        return switch (op) {
            case Update u -> Layout.DENSE;
            case Clipping c -> Layout.DENSE;
            case Scaling s -> Layout.DENSE;
            case Linear l -> Layout.DENSE;
            case Normalization.FoldWeight f -> Layout.DENSE;
            case Convolution.Wgrad w -> v.dtype() == DType.F32 && v.shape().dim(1) == 1 ? Layout.DENSE : activation(v, layout);
            case Slicing.Narrow s -> v.dtype() == DType.U8 ? Layout.NHWC : activation(v, layout);
            case Conversion.Normalize c -> v.dtype() == DType.U8 ? Layout.NHWC : activation(v, layout);
            default -> activation(v, layout);
        };
    }

    @Override
    public Candidate conversion(Subgraph cast, List<Layout> from, List<Layout> to) {
        return Candidate.of(new Kernel(ONEDNN, "reorder", "", 0), from, to, 0);
    }

    /** Of a weight gradient. */
    static Descriptors.Matrices matrices(Node n) {
        return new Descriptors.Matrices(n.input(0).shape().n(), n.input(0).shape().c(), n.input(1).shape().c());
    }

    static Descriptors.Pool pool(Subgraph s, Layout activations) {
        Node n = s.nodes().getFirst();
        return switch (n.op()) {
            case Pooling.Max m -> new Descriptors.Pool(m, n.input(0).shape(), n.output().shape(), n.output().dtype(),
                    layout(n.output().shape(), activations), s.outputs().size() == 2, false);
            case Pooling.MaxGrad g -> new Descriptors.Pool(new Pooling.Max(g.kernel(), g.stride(), g.padding()),
                    n.output().shape(), n.input(0).shape(), n.output().dtype(), layout(n.output().shape(), activations), true,
                    true);
            default -> throw new IllegalArgumentException(n + " is no pooling");
        };
    }

    @Override
    public String versions() {
        return "%s, own kernels %d".formatted(OneDnn.version(), OWN_KERNELS);
    }
}
