package io.firn.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.*;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.javacpp.Pointer;

/** A finished plan of cuDNN's on a device, with the addresses that it works on: made once, run every step. */
public final class Execution implements AutoCloseable {
    private final Handle handle;
    private final Descriptor plan;
    private final Descriptor addresses;

    /** cuDNN's handle of the device whose context is current; whoever opens one closes it. */
    public static final class Handle implements AutoCloseable {
        private final cudnnContext context = new cudnnContext();
        private long stream = -1;
        private boolean closed;

        private Handle() {
        }

        /**
         * Opens one.
         *
         * @throws CudnnFailure where cuDNN cannot be used
         */
        public static Handle open() {
            Handle h = new Handle();
            Descriptor.call(() -> cudnnCreate(h.context), "cudnnCreate", "the device");
            return h;
        }

        private void on(long to) {
            if (stream != to) {
                try (CUstream_st s = new CUstream_st(new Address(to))) {
                    Descriptor.call(() -> cudnnSetStream(context, s), "cudnnSetStream", "the device");
                }
                stream = to;
            }
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                Descriptor.call(() -> cudnnDestroy(context), "cudnnDestroy", "the device");
            }
        }
    }

    /** A pointer that nobody allocated. */
    private static final class Address extends Pointer {
        private Address(long address) {
            this.address = address;
        }
    }

    private Execution(Handle handle, Descriptor plan, Descriptor addresses) {
        this.handle = handle;
        this.plan = plan;
        this.addresses = addresses;
    }

    /**
     * Restores a serialised plan.
     *
     * @param at        addresses of the graph's inputs, then of its outputs
     * @param workspace address of the plan's scratch memory
     * @throws CudnnFailure where it is none of this library's and device's
     */
    public static Execution restore(Handle handle, CudnnGraph graph, byte[] serialised, List<Long> at, long workspace) {
        List<Long> ids = Stream.concat(graph.inputs().stream(), graph.outputs().stream()).map(Tensor::id).toList();
        if (at.size() != ids.size()) {
            throw new IllegalArgumentException("%d addresses for %d tensors".formatted(at.size(), ids.size()));
        }
        Descriptor plan = new Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "restored plan");
        try {
            plan.handle(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle.context)
                    .text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, serialised).finish();
            Descriptor pack = new Descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "addresses");
            try {
                pack.longs(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
                        .addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, at)
                        .addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, List.of(workspace)).finish();
                return new Execution(handle, plan, pack);
            } catch (RuntimeException e) {
                pack.close();
                throw e;
            }
        } catch (RuntimeException e) {
            plan.close();
            throw e;
        }
    }

    /** Puts it on a stream, by its handle of the driver's. */
    public void run(long stream) {
        handle.on(stream);
        plan.execute(handle.context, addresses);
    }

    @Override
    public void close() {
        addresses.close();
        plan.close();
    }
}
