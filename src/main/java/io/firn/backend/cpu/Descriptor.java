package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/**
 * A primitive descriptor: an operation of oneDNN with its implementation chosen. It owns the descriptor, and with it the
 * memory descriptors that it was asked for.
 *
 * @param variant number of the implementation in oneDNN's order of preference
 */
record Descriptor(dnnl_primitive_desc handle, String implementation, int variant) implements AutoCloseable {

    dnnl_memory_desc source() {
        return OneDnn.query(handle, dnnl_query_src_md);
    }

    dnnl_memory_desc weights() {
        return OneDnn.query(handle, dnnl_query_weights_md);
    }

    dnnl_memory_desc weightGradient() {
        return OneDnn.query(handle, dnnl_query_diff_weights_md);
    }

    dnnl_memory_desc workspace() {
        return OneDnn.query(handle, dnnl_query_workspace_md);
    }

    /** Operands of a matrix product at these addresses. */
    List<Primitive.Argument> arguments(long source, long weights, long result) {
        return List.of(new Primitive.Argument(DNNL_ARG_SRC, source(), source),
                new Primitive.Argument(DNNL_ARG_WEIGHTS, weights(), weights),
                new Primitive.Argument(DNNL_ARG_DST, OneDnn.query(handle, dnnl_query_dst_md), result));
    }

    /** Bytes of scratch memory that each execution needs. */
    long scratch() {
        return OneDnn.size(OneDnn.query(handle, dnnl_query_scratchpad_md));
    }

    @Override
    public void close() {
        OneDnn.check(dnnl_primitive_desc_destroy(handle), "dnnl_primitive_desc_destroy");
    }
}
