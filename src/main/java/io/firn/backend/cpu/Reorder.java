package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** Copies a tensor into another layout or element type; this is how weights are packed and their gradients unpacked. */
final class Reorder implements Executable {
    private final dnnl_primitive_desc pd = new dnnl_primitive_desc();
    private final dnnl_memory_desc source;
    private final dnnl_memory_desc destination;
    private final boolean ownsSource;
    private final boolean ownsDestination;
    private final Primitive primitive;

    Reorder(OneDnn dnn, Descriptors descriptors, String name, Tensor from, Tensor to, long scratch) {
        long[] dims = dims(descriptors, from, to);
        ownsSource = !(from.layout() instanceof Layout.Opaque);
        ownsDestination = !(to.layout() instanceof Layout.Opaque);
        source = describe(descriptors, from, dims);
        destination = describe(descriptors, to, dims);
        OneDnn.check(dnnl_reorder_primitive_desc_create(pd, source, dnn.engine, destination, dnn.engine, dnn.userScratch),
                name + ": dnnl_reorder_primitive_desc_create");
        if (OneDnn.query(pd, dnnl_query_scratchpad_md) != null) {
            throw new IllegalStateException(name + ": a reorder that wants scratch memory was not planned for");
        }
        primitive = new Primitive(dnn, name, pd, List.of(new Primitive.Argument(DNNL_ARG_FROM, source, from.address()),
                new Primitive.Argument(DNNL_ARG_TO, destination, to.address())), scratch);
    }

    private static long[] dims(Descriptors descriptors, Tensor from, Tensor to) {
        for (Tensor t : List.of(from, to)) {
            if (t.layout() instanceof Layout.Opaque o) {
                return descriptors.packed(o).dims();
            }
        }
        return OneDnn.dims(from.type().shape());
    }

    private static dnnl_memory_desc describe(Descriptors descriptors, Tensor t, long[] dims) {
        return switch (t.layout()) {
            case Layout.Opaque o -> descriptors.packed(o).layout();
            case Layout.Dense d -> OneDnn.describe(dims, t.type().dtype(), switch (dims.length) {
                case 1 -> dnnl_a;
                case 2 -> dnnl_ab;
                case 4 -> dnnl_abcd;
                case 5 -> dnnl_abcde;
                default -> throw new IllegalArgumentException("rank " + dims.length);
            });
            case Layout.Nhwc n -> OneDnn.describe(t.type().shape(), t.type().dtype(), n);
            case Layout.Blocked16 b -> OneDnn.describe(t.type().shape(), t.type().dtype(), b);
        };
    }

    @Override
    public void run() {
        primitive.run();
    }

    @Override
    public void close() {
        primitive.close();
        OneDnn.check(dnnl_primitive_desc_destroy(pd), "dnnl_primitive_desc_destroy");
        if (ownsSource) {
            OneDnn.check(dnnl_memory_desc_destroy(source), "dnnl_memory_desc_destroy");
        }
        if (ownsDestination) {
            OneDnn.check(dnnl_memory_desc_destroy(destination), "dnnl_memory_desc_destroy");
        }
    }
}
