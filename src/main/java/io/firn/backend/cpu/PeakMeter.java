package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.backend.Peaks;
import io.firn.graph.DType;
import io.firn.graph.Shape;
import io.firn.plan.Layout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** Measures this machine's peaks in about half a second: products by oneDNN, memory by a copy on all threads. */
final class PeakMeter {
    private static final int MATRIX = 1536;
    /** A 3x3 convolution as ResNets have it: oneDNN's matrix products are not always its fastest products. */
    private static final Product CONVOLUTION = new Product(Product.Direction.FORWARD, Shape.of(16, 256, 14, 14),
            Shape.of(256, 256, 3, 3), Shape.of(16, 256, 14, 14), 1, 1, 1, DType.F32, Layout.BLOCKED16, Layout.BLOCKED16,
            false, false, Optional.empty());
    /** Larger than what a core has of the last cache. */
    private static final long COPY_BYTES = 128L << 20;
    private static final int COPY_PIECE = 16 << 20;
    /** All operands hold this byte: as f32 and as bf16 a small number that is no denormal. */
    private static final byte FILLING = 0x3C;
    private static final int RUNS = 5;

    private final OneDnn dnn;
    private final Descriptors descriptors;
    private final Workers workers;

    PeakMeter(OneDnn dnn, Descriptors descriptors, Workers workers) {
        this.dnn = dnn;
        this.descriptors = descriptors;
        this.workers = workers;
    }

    /** @param bf16 whether the processor multiplies bf16 by itself */
    Peaks measure(boolean bf16) {
        double flops32 = flops(DType.F32);
        return new Peaks(flops32, bf16 ? flops(DType.BF16) : flops32, bandwidth());
    }

    private double flops(DType type) {
        return Math.max(matrixProduct(type), convolution(type));
    }

    private double matrixProduct(DType type) {
        long[] dims = {MATRIX, MATRIX};
        dnnl_memory_desc any = OneDnn.describe(dims, type, dnnl_format_tag_any);
        dnnl_primitive_desc pd = new dnnl_primitive_desc();
        try {
            OneDnn.check(dnnl_matmul_primitive_desc_create(pd, dnn.engine, any, any, null, any, dnn.userScratch),
                    "dnnl_matmul_primitive_desc_create");
            try {
                return rate(pd, 2L * MATRIX * MATRIX * MATRIX);
            } finally {
                OneDnn.check(dnnl_primitive_desc_destroy(pd), "dnnl_primitive_desc_destroy");
            }
        } finally {
            OneDnn.check(dnnl_memory_desc_destroy(any), "dnnl_memory_desc_destroy");
        }
    }

    private double convolution(DType type) {
        Product c = CONVOLUTION;
        Product p = new Product(c.direction(), c.x(), c.w(), c.y(), c.stride(), c.padding(), c.groups(), type, c.xLayout(),
                c.yLayout(), c.bias(), c.residual(), c.activation());
        return descriptors.convolution(p, 0).map(d -> rate(d.handle(), 2 * p.w().elements() * p.x().n() * p.x().area()))
                .orElse(0.0);
    }

    /** Operations a second in the best of a few runs. */
    private double rate(dnnl_primitive_desc pd, long flops) {
        int[] numbers = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
        int[] queries = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
        List<NativeArena> memory = new ArrayList<>();
        try {
            List<Primitive.Argument> arguments = new ArrayList<>();
            for (int i = 0; i < numbers.length; i++) {
                dnnl_memory_desc md = OneDnn.query(pd, queries[i]);
                memory.add(new NativeArena(OneDnn.size(md)));
                memory.getLast().segment(0, OneDnn.size(md)).fill(FILLING);
                arguments.add(new Primitive.Argument(numbers[i], md, memory.getLast().address()));
            }
            memory.add(new NativeArena(Math.max(1, OneDnn.size(OneDnn.query(pd, dnnl_query_scratchpad_md)))));
            try (Primitive p = new Primitive(dnn, "peak", pd, arguments, memory.getLast().address())) {
                return flops / best(p::run);
            }
        } finally {
            memory.forEach(NativeArena::close);
        }
    }

    private double bandwidth() {
        try (NativeArena from = new NativeArena(COPY_BYTES); NativeArena to = new NativeArena(COPY_BYTES)) {
            // Memory that was never written is one shared page of zeros.
            from.segment(0, COPY_BYTES).fill(FILLING);
            double seconds = best(() -> workers.run((int) (COPY_BYTES / COPY_PIECE), piece ->
                    to.segment((long) piece * COPY_PIECE, COPY_PIECE).copyFrom(from.segment((long) piece * COPY_PIECE,
                            COPY_PIECE))));
            return 2 * COPY_BYTES / seconds;
        }
    }

    /** Seconds of the fastest run after a first one, which touches memory and generates code. */
    private static double best(Runnable work) {
        work.run();
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < RUNS; i++) {
            long start = System.nanoTime();
            work.run();
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return best;
    }
}
