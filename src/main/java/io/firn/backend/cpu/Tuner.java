package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.backend.Session;
import io.firn.graph.DType;
import io.firn.graph.Type;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Fills the tuning table by measurement: each convolution of a plan is run with every implementation that oneDNN has for
 * it, and the fastest is kept. oneDNN's own order of preference is wrong by a factor of ten and more for some shapes.
 * Where a step is long, whole steps are run in both layouts of activations, too.
 */
final class Tuner {
    private static final int REPEATS = 3;
    /** Runs after which the own kernels' loops are compiled. */
    private static final int COMPILED = 20;
    /** An implementation that is this much slower than the best so far in its first run is not run again. */
    private static final double HOPELESS = 2;
    /** All operands hold this byte: as f32 and as bf16 a small number that is no denormal. */
    private static final byte FILLING = 0x3C;

    /** Steps that are predicted to be shorter run in the usual layout: measuring would take longer than it could save. */
    private static final double WORTH_MEASURING_MS = 100;
    private static final int LEAST_STEPS = 4;
    private static final long STEPS_NANOS = 5_000_000_000L;

    private final CpuBackend backend;
    private final OneDnn dnn;
    private final Descriptors descriptors;

    Tuner(CpuBackend backend, OneDnn dnn, Descriptors descriptors) {
        this.backend = backend;
        this.dnn = dnn;
        this.descriptors = descriptors;
    }

    /** The choices that these plans take: from {@code known} where they are there, else measured now. */
    TuningTable tune(List<PlanRequest> requests, TuningTable known) {
        Layout usual = backend.defaultLayout();
        SortedMap<String, String> choices = convolutions(requests, known, usual);
        String key = TuningTable.LAYOUT + " " + digest(choices);
        String layout = known.choices().get(key);
        if (layout == null) {
            layout = usual.label();
            if (!usual.equals(Layout.NHWC) && predicted(requests) >= WORTH_MEASURING_MS) {
                SortedMap<String, String> other = convolutions(requests, known, Layout.NHWC);
                if (stepSeconds(requests, other, Layout.NHWC) < stepSeconds(requests, choices, usual)) {
                    layout = Layout.NHWC.label();
                }
            }
        }
        if (!layout.equals(usual.label())) {
            choices = convolutions(requests, known, Layout.NHWC);
        }
        choices.put(key, layout);
        choices.put(TuningTable.LAYOUT, layout);
        return new TuningTable(choices);
    }

    private double predicted(List<PlanRequest> requests) {
        return program(requests, new TreeMap<>(), backend.defaultLayout()).plans().getFirst().predictedMs();
    }

    private Program program(List<PlanRequest> requests, SortedMap<String, String> choices, Layout layout) {
        SortedMap<String, String> all = new TreeMap<>(choices);
        all.put(TuningTable.LAYOUT, layout.label());
        return new Planner(backend.target(), backend.kernels(new TuningTable(all))).plan(requests.toArray(PlanRequest[]::new));
    }

    private SortedMap<String, String> convolutions(List<PlanRequest> requests, TuningTable known, Layout layout) {
        SortedMap<String, String> choices = new TreeMap<>();
        for (Plan plan : program(requests, new TreeMap<>(), layout).plans()) {
            for (Launch l : plan.launches()) {
                if (l.kernel().library().equals(CpuKernels.ONEDNN)) {
                    Product.of(l.subgraph().nodes(), plan.activations()).ifPresent(p -> {
                        String choice = known.choices().get(p.key());
                        choices.computeIfAbsent(p.key(), key -> choice != null ? choice : fastest(p));
                    });
                }
            }
        }
        return choices;
    }

    private static String digest(SortedMap<String, String> choices) {
        CRC32 crc = new CRC32();
        choices.keySet().forEach(k -> crc.update(k.getBytes(StandardCharsets.UTF_8)));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    /** Time of a step of the first plan, once the own kernels' loops are compiled. */
    private double stepSeconds(List<PlanRequest> requests, SortedMap<String, String> choices, Layout layout) {
        Program program = program(requests, choices, layout);
        try (Session session = backend.load(program)) {
            double least = Double.POSITIVE_INFINITY;
            long end = System.nanoTime() + STEPS_NANOS;
            for (int i = 0; i < LEAST_STEPS || System.nanoTime() < end; i++) {
                long start = System.nanoTime();
                session.step(program.plans().getFirst());
                least = Math.min(least, 1e-9 * (System.nanoTime() - start));
            }
            return least;
        }
    }

    private String fastest(Product p) {
        List<Descriptor> all = descriptors.convolutions(p).stream()
                .filter(d -> !d.implementation().startsWith("ref")).toList();
        Optional<Winograd> winograd = Winograd.of(p);
        if (all.isEmpty()) {
            return CpuKernels.name(descriptors.convolution(p, 0).orElseThrow());
        }
        String best = CpuKernels.name(all.getFirst());
        if (all.size() == 1 && winograd.isEmpty()) {
            return best;
        }
        double shortest = Double.POSITIVE_INFINITY;
        for (Descriptor d : all) {
            double seconds = seconds(p, d, shortest);
            if (seconds < shortest) {
                shortest = seconds;
                best = CpuKernels.name(d);
            }
        }
        return winograd.isPresent() && seconds(p, winograd.get(), shortest) < shortest ? Winograd.NAME : best;
    }

    /** With the transforms of weights, where the others' reorders are not counted. */
    private double seconds(Product p, Winograd w, double shortest) {
        Type from = new Type(p.dtype(), w.from());
        Type to = new Type(p.dtype(), w.to());
        long toAt = Buffer.align(w.layout().bytes(from));
        long weightsAt = toAt + Buffer.align(w.layout().bytes(to));
        Type weights = new Type(DType.F32, p.w());
        long scratch = weightsAt + Buffer.align(weights.bytes());
        long bytes = scratch + backend.winogradBytes(w);
        try (NativeArena memory = new NativeArena(bytes)) {
            memory.segment(0, bytes).fill(FILLING);
            long at = memory.address();
            try (Executable kernel = backend.winograd(w, new Tensor(at, from, w.layout()),
                    new Tensor(at + toAt, to, w.layout()), new Tensor(at + weightsAt, weights, Layout.DENSE), at + scratch)) {
                for (int i = 0; i < COMPILED; i++) {
                    kernel.run();
                }
                return least(kernel, shortest);
            }
        }
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
                return least(primitive, shortest);
            }
        }
    }

    private double least(Executable e, double shortest) {
        backend.useThreads();
        double least = once(e);
        for (int i = 0; i < REPEATS && least < HOPELESS * shortest; i++) {
            least = Math.min(least, once(e));
        }
        return least;
    }

    private static double once(Executable e) {
        long start = System.nanoTime();
        e.run();
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
