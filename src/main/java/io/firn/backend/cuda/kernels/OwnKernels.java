package io.firn.backend.cuda.kernels;

import io.firn.graph.Node;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Subgraph;
import java.util.List;
import java.util.Set;

/** Firn's own GPU kernels: which there is for a group of nodes, and what runs a launch of it. */
public enum OwnKernels {
    /** One streaming pass ({@link Pointwise}). */
    POINTWISE {
        @Override
        public boolean supports(List<Node> nodes, Set<Value> outputs) {
            return Pointwise.supports(nodes);
        }

        @Override
        public KernelCalls calls(Subgraph s, List<Layout> in, List<Layout> out) {
            return PointwiseKernel.calls(s);
        }
    },
    /** A depthwise convolution or one of its gradients, with pointwise ops before and after ({@link Depthwise}). */
    DEPTHWISE {
        @Override
        public boolean supports(List<Node> nodes, Set<Value> outputs) {
            return Depthwise.of(nodes, outputs).isPresent();
        }

        @Override
        public KernelCalls calls(Subgraph s, List<Layout> in, List<Layout> out) {
            return DepthwiseKernel.calls(s);
        }
    };

    /** Whether one launch of this kernel can compute these nodes, of which {@code outputs} must reach memory. */
    public abstract boolean supports(List<Node> nodes, Set<Value> outputs);

    /**
     * What runs a subgraph that is supported. The workspace and the grids are a pure function of the arguments.
     *
     * @param in  layouts of the subgraph's inputs: NHWC for activations
     * @param out layouts of its outputs
     */
    public abstract KernelCalls calls(Subgraph s, List<Layout> in, List<Layout> out);

    /** Its name in plans. */
    public String label() {
        return name().toLowerCase();
    }

    /** What runs a launch of a plan whose kernel is one of these. */
    public static KernelCalls of(Launch l) {
        return valueOf(l.kernel().name().toUpperCase()).calls(l.subgraph(), l.inputs().stream().map(Buffer::layout).toList(),
                l.outputs().stream().map(Buffer::layout).toList());
    }
}
