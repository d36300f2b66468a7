package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.TuningTable;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Fills the tuning table by measurement: each convolution of a plan is run with every implementation that oneDNN has for
 * it, and the fastest is kept. oneDNN's own order of preference is wrong by a factor of ten and more for some shapes.
 */
final class Tuner {
    private static final int REPEATS = 3;
    /** An implementation that is this much slower than the best so far in its first run is not run again. */
    private static final double HOPELESS = 2;
    /** All operands hold this byte: as f32 and as bf16 a small number that is no denormal. */
    private static final byte FILLING = 0x3C;

    private final CpuBackend backend;
    private final OneDnn dnn;
    private final Descriptors descriptors;

    Tuner(CpuBackend backend, OneDnn dnn, Descriptors descriptors) {
        this.backend = backend;
        this.dnn = dnn;
        this.descriptors = descriptors;
    }

    /** The choices for these plans' convolutions: from {@code known} where they are there, else measured now. */
    TuningTable tune(List<PlanRequest> requests, TuningTable known) {
        SortedMap<String, String> choices = new TreeMap<>();
        Planner planner = new Planner(backend.target(), backend.kernels(TuningTable.EMPTY));
        for (Plan plan : planner.plan(requests.toArray(PlanRequest[]::new)).plans()) {
            for (Launch l : plan.launches()) {
                if (l.kernel().library().equals(CpuKernels.ONEDNN)) {
                    Product.of(l.subgraph().nodes(), plan.activations()).ifPresent(p -> {
                        String choice = known.choices().get(p.key());
                        choices.computeIfAbsent(p.key(), key -> choice != null ? choice : CpuKernels.name(fastest(p)));
                    });
                }
            }
        }
        return new TuningTable(choices);
    }

    private Descriptor fastest(Product p) {
        List<Descriptor> all = descriptors.convolutions(p).stream()
                .filter(d -> !d.implementation().startsWith("ref")).toList();
        if (all.size() < 2) {
            return all.isEmpty() ? descriptors.convolution(p, 0).orElseThrow() : all.getFirst();
        }
        Descriptor best = all.getFirst();
        double shortest = Double.POSITIVE_INFINITY;
        for (Descriptor d : all) {
            double seconds = seconds(p, d, shortest);
            if (seconds < shortest) {
                shortest = seconds;
                best = d;
            }
        }
        return best;
    }

    private double seconds(Product p, Descriptor d, double shortest) {
        List<Primitive.Argument> operands = new ArrayList<>();
        long bytes = 0;
        for (Operand o : operands(p, d)) {
            operands.add(new Primitive.Argument(o.number, o.layout, bytes));
            bytes += Buffer.align(OneDnn.size(o.layout));
        }
        long scratch = bytes;
        bytes += d.scratch();
        try (NativeArena memory = new NativeArena(bytes)) {
            memory.segment(0, bytes).fill(FILLING);
            List<Primitive.Argument> placed = operands.stream().map(a -> new Primitive.Argument(a.number(), a.layout(),
                    memory.address() + a.address())).toList();
            try (Primitive primitive = new Primitive(dnn, p.key(), d.handle(), placed, memory.address() + scratch)) {
                backend.useThreads();
                double least = once(primitive);
                for (int i = 0; i < REPEATS && least < HOPELESS * shortest; i++) {
                    least = Math.min(least, once(primitive));
                }
                return least;
            }
        }
    }

    private static double once(Primitive primitive) {
        long start = System.nanoTime();
        primitive.run();
        return 1e-9 * (System.nanoTime() - start);
    }

    private record Operand(int number, dnnl_memory_desc layout) {
    }

    private List<Operand> operands(Product p, Descriptor d) {
        Stream<Operand> products = switch (p.direction()) {
            case FORWARD -> Stream.of(operand(d, DNNL_ARG_SRC, dnnl_query_src_md),
                    operand(d, DNNL_ARG_WEIGHTS, dnnl_query_weights_md), operand(d, DNNL_ARG_DST, dnnl_query_dst_md));
            case DGRAD -> Stream.of(operand(d, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md),
                    operand(d, DNNL_ARG_WEIGHTS, dnnl_query_weights_md),
                    operand(d, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md));
            case WGRAD -> Stream.of(operand(d, DNNL_ARG_SRC, dnnl_query_src_md),
                    operand(d, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md),
                    operand(d, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md));
        };
        List<Operand> all = new ArrayList<>(products.toList());
        if (p.bias()) {
            all.add(new Operand(DNNL_ARG_BIAS, descriptors.vector(p.w().dim(0))));
        }
        if (p.residual()) {
            all.add(operand(d, DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1, dnnl_query_dst_md));
        }
        return all;
    }

    private static Operand operand(Descriptor d, int number, int what) {
        return new Operand(number, OneDnn.query(d.handle(), what));
    }
}
