package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.Lowering;
import io.firn.backend.cuda.kernels.ChannelCopy;
import io.firn.backend.cuda.kernels.ChannelCopy.Side;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.Operand;
import io.firn.graph.DType;
import io.firn.graph.Type;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Precision;
import io.firn.plan.Subgraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * What runs a launch that is cuDNN's. Where no engine takes a value as it lies in memory (fp16 scales of a prologue, gradients
 * of three channels or in f32), the graph works on a copy in the launch's workspace.
 *
 * <pre>
 * x [N,H,W,4], dy ─▶ cuDNN's graph ─▶ dw [O,7,7,4] ── copy ─▶ dw [O,7,7,3]
 * </pre>
 *
 * @param before    copies of what the graph reads
 * @param inputs    where the graph's inputs lie, in its order
 * @param outputs   where its outputs lie
 * @param after     copies of what it wrote
 * @param workspace bytes of the copies; the engine's own workspace comes after
 */
public record CudnnCalls(CudnnGraph graph, List<KernelCall> before, List<Operand> inputs, List<Operand> outputs,
                         List<KernelCall> after, long workspace) {
    /** Of an engine's workspace: what memory has that is allocated for it alone, as is usual. */
    static final long ENGINE_ALIGNMENT = 256;

    public CudnnCalls {
        before = List.copyOf(before);
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
        after = List.copyOf(after);
    }

    /** Bytes of the launch's workspace, where the engine wants so many. */
    long workspace(long engine) {
        return engine == 0 ? workspace : workspace + ENGINE_ALIGNMENT - Buffer.ALIGNMENT + engine;
    }

    /** Address of the engine's workspace in that of a launch. */
    long engineWorkspace(long launch) {
        return Math.ceilDiv(launch + workspace, ENGINE_ALIGNMENT) * ENGINE_ALIGNMENT;
    }

    /** What runs a launch of a plan whose kernel is cuDNN's. */
    public static CudnnCalls of(Launch l, boolean tf32) {
        return of(l.subgraph(), ways(l.subgraph(), tf32).get(l.kernel().variant()), l.layouts()::get);
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

    /**
     * What runs a subgraph as one of the graphs that {@link Lowering#ways} has for it.
     *
     * @param layout of each input and output
     */
    public static CudnnCalls of(Subgraph s, CudnnGraph g, Function<Value, Layout> layout) {
        List<KernelCall> before = new ArrayList<>();
        List<KernelCall> after = new ArrayList<>();
        List<Operand> inputs = new ArrayList<>();
        List<Operand> outputs = new ArrayList<>();
        long workspace = 0;
        for (int i = 0; i < s.inputs().size(); i++) {
            Value v = s.inputs().get(i);
            Place p = new Place(v.type(), layout.apply(v), g.inputs().get(i), new Operand.Input(i), workspace);
            p.copy().ifPresent(copy -> before.add(ChannelCopy.of(s, p.inMemory(), copy, p.rows())));
            inputs.add(p.forGraph());
            workspace += p.bytes();
        }
        for (int i = 0; i < s.outputs().size(); i++) {
            Value v = s.outputs().get(i);
            Place p = new Place(v.type(), layout.apply(v), g.outputs().get(i), new Operand.Output(i), workspace);
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
    private record Place(Type type, Layout layout, Tensor tensor, Operand memory, long free) {
        boolean isCopied() {
            return hasOtherRows() || tensor.type() != type.dtype();
        }

        boolean hasOtherRows() {
            return tensor.elements() != elements();
        }

        /** In memory, padding included. */
        long elements() {
            return layout.bytes(type) / type.dtype().bytes();
        }

        /** Where channels are as many on both sides, elements are all alike, and each is a row. */
        long rows() {
            return hasOtherRows() ? type.shape().elements() / type.shape().c() : elements();
        }

        Side inMemory() {
            return new Side(memory, type.dtype(), Math.toIntExact(elements() / rows()));
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
