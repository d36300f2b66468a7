package io.firn.backend.cuda.kernels;

import io.firn.graph.Conversion;
import io.firn.graph.Linear;
import io.firn.graph.Node;
import io.firn.graph.Op;
import io.firn.graph.Pooling;
import io.firn.graph.Shortcut;
import io.firn.graph.Value;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import java.util.function.Function;

/** Firn's own GPU kernels: which there is for a group of nodes, and what runs a launch of it. */
public enum OwnKernels {
    /** One streaming pass ({@link Pointwise}). */
    POINTWISE((nodes, outputs) -> Pointwise.supports(nodes), (s, layout) -> PointwiseKernel.calls(s)),
    /** A depthwise convolution or one of its gradients, with pointwise ops before and after ({@link Depthwise}). */
    DEPTHWISE((nodes, outputs) -> Depthwise.of(nodes, outputs).isPresent(), (s, layout) -> DepthwiseKernel.calls(s)),
    /** Small products with activations, sample by sample ({@link ExcitationKernel}). */
    EXCITATION((nodes, outputs) -> ExcitationKernel.supports(nodes), (s, layout) -> ExcitationKernel.calls(s)),
    /** One f32 product. */
    LINEAR((nodes, outputs) -> nodes.size() == 1 && nodes.getFirst().op() instanceof Linear
            && !(nodes.getFirst().op() instanceof Linear.BiasGrad), (s, layout) -> SmallKernels.linear(s)),
    /** Any number of casts between two types, dense or NHWC on either side; to NHWC4 as well. */
    CAST((nodes, outputs) -> WeightTables.supportsCasts(nodes), WeightTables::casts),
    /** Any number of weights, scaled by output channel; dense or NHWC on either side. */
    FOLD_WEIGHT((nodes, outputs) -> WeightTables.supportsCasts(nodes), WeightTables::casts),
    /** The norm of all gradients and what they are multiplied by ({@link GradientNorm}). */
    CLIP(GradientNorm::supports, (s, layout) -> GradientNorm.calls(s)),
    /** An optimizer's step over any number of tensors with their moving averages; gradients may lie as NHWC. */
    UPDATE((nodes, outputs) -> WeightTables.supportsUpdates(nodes), WeightTables::updates),
    /** Pixels to activations. */
    NORMALIZE((nodes, outputs) -> one(nodes, Conversion.Normalize.class), SmallKernels::normalize),
    /** Maximum pooling, alone or after batch norm's apply and an activation. */
    MAX_POOL(SmallKernels::supportsMaxPool, (s, layout) -> SmallKernels.maxPool(s)),
    MAX_POOL_GRAD((nodes, outputs) -> one(nodes, Pooling.MaxGrad.class), (s, layout) -> SmallKernels.maxPoolGrad(s)),
    /** {@link Shortcut} or its gradient. */
    SHORTCUT((nodes, outputs) -> one(nodes, Shortcut.class), (s, layout) -> SmallKernels.shortcut(s)),
    /** The loss, its gradient, which may be scaled, or both. */
    CROSS_ENTROPY(SmallKernels::supportsLoss, (s, layout) -> SmallKernels.loss(s));

    private final BiPredicate<List<Node>, Set<Value>> rule;
    private final BiFunction<Subgraph, Function<Value, Layout>, KernelCalls> maker;

    OwnKernels(BiPredicate<List<Node>, Set<Value>> rule, BiFunction<Subgraph, Function<Value, Layout>, KernelCalls> maker) {
        this.rule = rule;
        this.maker = maker;
    }

    private static boolean one(List<Node> nodes, Class<? extends Op> op) {
        return nodes.size() == 1 && op.isInstance(nodes.getFirst().op());
    }

    /** Whether one launch of this kernel can compute these nodes, of which {@code outputs} must reach memory. */
    public boolean supports(List<Node> nodes, Set<Value> outputs) {
        return rule.test(nodes, outputs);
    }

    /**
     * What runs a subgraph that is supported. The workspace and the grids are a pure function of the arguments.
     *
     * @param layout of each input and output: NHWC for activations; weights with one input channel a group lie alike in both
     */
    public KernelCalls calls(Subgraph s, Function<Value, Layout> layout) {
        return maker.apply(s, layout);
    }

    /** Its name in plans. */
    public String label() {
        return name().toLowerCase();
    }

    /** What runs a launch of a plan whose kernel is one of these. */
    public static KernelCalls of(Launch l) {
        return valueOf(l.kernel().name().toUpperCase()).calls(l.subgraph(), l.layouts()::get);
    }
}
