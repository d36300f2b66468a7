package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Lowering;
import io.firn.backend.cuda.kernels.ChannelCopy;
import io.firn.backend.cuda.kernels.ChannelCopy.Side;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.Operand;
import io.firn.graph.DType;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What runs a launch that is cuDNN's. Where no engine takes a value as it lies in memory (fp16 scales of a prologue, three
 * channels, gradients in f32), the graph works on a copy in the launch's workspace.
 *
 * <pre>
 * x [N,H,W,3] ── copy ─▶ [N,H,W,4] ─▶ cuDNN's graph ─▶ dw [O,7,7,4] ── copy ─▶ dw [O,7,7,3]
 * </pre>
 *
 * @param before    copies of what the graph reads
 * @param inputs    where the graph's inputs lie, in its order
 * @param outputs   where its outputs lie
 * @param after     copies of what it wrote
 * @param workspace bytes of the copies; the engine's own workspace begins there
 */
public record CudnnCalls(CudnnGraph graph, List<KernelCall> before, List<Operand> inputs, List<Operand> outputs,
                         List<KernelCall> after, long workspace) {
    public CudnnCalls {
        before = List.copyOf(before);
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
        after = List.copyOf(after);
    }

    /** What runs a launch of a plan whose kernel is cuDNN's. */
    public static CudnnCalls of(Launch l, boolean tf32) {
        return of(l.subgraph(), ways(l.subgraph(), tf32).get(l.kernel().variant()));
    }

    /** What cuDNN may be asked to compute for a subgraph, best first; empty where it has no operations for it. */
    static List<CudnnGraph> ways(Subgraph s, boolean tf32) {
        DType dtype = s.anchor().input(0).dtype();
        return Lowering.ways(s, switch (dtype) {
            case BF16 -> Precision.BF16;
            case F16 -> Precision.FP16;
            case F32, U8, I32 -> tf32 ? Precision.TF32 : Precision.FP32;
        });
    }

    /** What runs a subgraph as one of the graphs that {@link Lowering#ways} has for it. */
    public static CudnnCalls of(Subgraph s, CudnnGraph g) {
        List<KernelCall> before = new ArrayList<>();
        List<KernelCall> after = new ArrayList<>();
        List<Operand> inputs = new ArrayList<>();
        List<Operand> outputs = new ArrayList<>();
        long workspace = 0;
        for (int i = 0; i < s.inputs().size(); i++) {
            Place p = new Place(s.inputs().get(i), g.inputs().get(i), new Operand.Input(i), workspace);
            p.copy().ifPresent(copy -> before.add(ChannelCopy.of(s, p.inMemory(), copy, p.rows())));
            inputs.add(p.forGraph());
            workspace += p.bytes();
        }
        for (int i = 0; i < s.outputs().size(); i++) {
            Place p = new Place(s.outputs().get(i), g.outputs().get(i), new Operand.Output(i), workspace);
            p.copy().ifPresent(copy -> after.add(ChannelCopy.of(s, copy, p.inMemory(), p.rows())));
            outputs.add(p.forGraph());
            workspace += p.bytes();
        }
        return new CudnnCalls(g, before, inputs, outputs, after, workspace);
    }

    /**
     * Where a value lies, and where the graph's tensor for it.
     *
     * @param free first byte of the workspace that nothing else has
     */
    private record Place(Value value, Tensor tensor, Operand memory, long free) {
        boolean isCopied() {
            return isPadded() || tensor.type() != value.dtype();
        }

        boolean isPadded() {
            return tensor.elements() != value.shape().elements();
        }

        /** Where all channels are there, elements are all alike, and each is a row. */
        long rows() {
            return isPadded() ? value.shape().elements() / value.shape().c() : value.shape().elements();
        }

        Side inMemory() {
            return new Side(memory, value.dtype(), isPadded() ? value.shape().c() : 1);
        }

        Optional<Side> copy() {
            return isCopied() ? Optional.of(new Side(new Operand.Workspace(free), tensor.type(),
                    Math.toIntExact(tensor.elements() / rows()))) : Optional.empty();
        }

        Operand forGraph() {
            return copy().map(Side::at).orElse(memory);
        }

        long bytes() {
            return isCopied() ? Buffer.align(tensor.elements() * tensor.type().bytes()) : 0;
        }
    }
}
