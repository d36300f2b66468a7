package io.firn.backend.cuda.cudnn;

import io.firn.graph.DType;
import io.firn.graph.Op;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * An operation graph of cuDNN's backend API, as data: what {@link Lowering} makes of a launch's subgraph, what engines are
 * asked for, and what the tests interpret.
 *
 * @param inputs     tensors that the caller provides, in the order of the subgraph's inputs
 * @param outputs    tensors that the caller receives, in the order of the subgraph's outputs
 * @param operations in an order that respects their dependencies
 * @param tf32       whether products of f32 may be rounded to tf32; products of 16-bit types are not concerned
 */
public record CudnnGraph(List<Tensor> inputs, List<Tensor> outputs, List<Operation> operations, boolean tf32) {

    public CudnnGraph {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
        operations = List.copyOf(operations);
        Set<Tensor> known = new HashSet<>(inputs);
        Set<Long> ids = new HashSet<>();
        inputs.forEach(t -> Op.check(!t.virtual && ids.add(t.id), "input %s", t));
        for (Operation o : operations) {
            Op.check(known.containsAll(o.reads()), "%s reads what is not written", o);
            o.writes().forEach(t -> Op.check(ids.add(t.id) && known.add(t), "%s is written twice", t));
        }
        outputs.forEach(t -> Op.check(!t.virtual && known.contains(t), "output %s", t));
    }

    /**
     * A tensor.
     *
     * @param id        unique within the graph; names the buffer when the graph is executed
     * @param dims      [N,C,H,W] or [B,M,N], whatever the order in memory
     * @param strides   of each dimension, in elements
     * @param virtual   whether it lives within the kernel and never reaches memory
     * @param alignment bytes that the address is a multiple of
     */
    public record Tensor(long id, List<Long> dims, List<Long> strides, DType type, boolean virtual, long alignment) {
        public Tensor {
            dims = List.copyOf(dims);
            strides = List.copyOf(strides);
            Op.check(dims.size() == strides.size(), "%d strides for %d dimensions", strides.size(), dims.size());
        }

        public long elements() {
            return dims.stream().reduce(1L, Math::multiplyExact);
        }
    }
}
