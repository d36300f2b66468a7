package io.firn.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import io.firn.backend.Session;
import io.firn.backend.Tuned;
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
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
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
    /** How long an own kernel's loops may take to be compiled, beside kernels that leave the compiler little time. */
    private static final long COMPILING_NANOS = 1_500_000_000L;
    /** The same where loops are compiled, but may be once more for what is new about these sizes. */
    private static final long SETTLING_NANOS = 200_000_000L;
    /** An implementation that is this much slower than the best so far in its first run is not run again. */
    private static final double HOPELESS = 2;
    /** All operands hold this byte: as f32 and as bf16 a small number that is no denormal. */
    private static final byte FILLING = 0x3C;

    /** Steps that are predicted to be shorter run in the usual layout: measuring would take longer than it could save. */
    private static final double WORTH_MEASURING_MS = 100;
    /** Another layout than the usual one must win by more than what a neighbour's load may do to a step. */
    private static final double CLEARLY = 0.97;
    private static final int LEAST_STEPS = 4;
    private static final long STEPS_NANOS = 5_000_000_000L;

    private final CpuBackend backend;
    private final OneDnn dnn;
    private final Descriptors descriptors;
    /** Own kernels, by what makes their loops, that have run long enough to be compiled. */
    private final Set<String> compiled = new HashSet<>();

    Tuner(CpuBackend backend, OneDnn dnn, Descriptors descriptors) {
        this.backend = backend;
        this.dnn = dnn;
        this.descriptors = descriptors;
    }

    /** What {@link io.firn.backend.Backend#tune} says. */
    Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure) {
        Layout usual = backend.defaultLayout();
        Program program = program(requests, known.choices(), usual);
        // Whole steps of the first plan are what decides, so that it has one layout whatever other plans go with it.
        String key = TuningTable.LAYOUT + " " + digest(products(program.plans().getFirst()).keySet());
        String layout = known.choices().get(key);
        if (layout == null && !usual.equals(Layout.NHWC) && program.plans().getFirst().predictedMs() >= WORTH_MEASURING_MS) {
            if (!measure.test(program)) {
                return new Tuned(program, table(known.choices(), usual));
            }
            Tuned blocked = measured(requests, program, known, usual);
            Tuned other = measured(requests, program(requests, known.choices(), Layout.NHWC), known, Layout.NHWC);
            Tuned faster = stepSeconds(requests.getFirst(), other.table())
                    < CLEARLY * stepSeconds(requests.getFirst(), blocked.table()) ? other : blocked;
            return new Tuned(faster.program(), faster.table().with(Map.of(key,
                    faster.table().choices().get(TuningTable.LAYOUT))));
        }
        if (layout != null && !layout.equals(usual.label())) {
            return settled(requests, program(requests, known.choices(), Layout.NHWC), known, Layout.NHWC, measure);
        }
        return settled(requests, program, known, usual, measure);
    }

    /** The choices in a layout that is certain, which is nothing but looked up where all are known. */
    private Tuned settled(List<PlanRequest> requests, Program planned, TuningTable known, Layout layout,
                          Predicate<Program> measure) {
        boolean complete = planned.plans().stream().allMatch(p -> known.choices().keySet().containsAll(products(p).keySet()));
        return complete || measure.test(planned) ? measured(requests, planned, known, layout)
                : new Tuned(planned, table(known.choices(), layout));
    }

    /** Measures what is unknown, and plans again where there was something. */
    private Tuned measured(List<PlanRequest> requests, Program planned, TuningTable known, Layout layout) {
        SortedMap<String, String> choices = new TreeMap<>();
        boolean complete = true;
        for (Plan plan : planned.plans()) {
            for (Product p : products(plan).values()) {
                String choice = known.choices().get(p.key());
                complete &= choice != null;
                choices.computeIfAbsent(p.key(), _ -> choice != null ? choice : fastest(p));
            }
        }
        return new Tuned(complete ? planned : program(requests, choices, layout), table(choices, layout));
    }

    private static TuningTable table(SortedMap<String, String> choices, Layout layout) {
        return new TuningTable(choices).with(Map.of(TuningTable.LAYOUT, layout.label()));
    }

    private Program program(List<PlanRequest> requests, SortedMap<String, String> choices, Layout layout) {
        return new Planner(backend.target(), backend.kernels(table(choices, layout))).plan(requests.toArray(PlanRequest[]::new));
    }

    /** A plan's convolutions by their keys. */
    private static SortedMap<String, Product> products(Plan plan) {
        SortedMap<String, Product> products = new TreeMap<>();
        for (Launch l : plan.launches()) {
            if (l.kernel().library().equals(CpuKernels.ONEDNN)) {
                Product.of(l.subgraph().nodes(), plan.activations()).ifPresent(p -> products.put(p.key(), p));
            }
        }
        return products;
    }

    private static String digest(Set<String> keys) {
        CRC32 crc = new CRC32();
        keys.forEach(k -> crc.update(k.getBytes(StandardCharsets.UTF_8)));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    /** Time of a step, once the own kernels' loops are compiled; of one rank's, which has none to wait for. */
    private double stepSeconds(PlanRequest request, TuningTable table) {
        Program program = new Planner(backend.target(), backend.kernels(table)).plan(request.alone());
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
        long biasAt = weightsAt + Buffer.align(weights.bytes());
        Type bias = Type.f32(w.to().c());
        long residualAt = biasAt + Buffer.align(bias.bytes());
        long scratch = residualAt + (p.residual() ? Buffer.align(w.layout().bytes(to)) : 0);
        long bytes = scratch + backend.winogradBytes(w);
        try (NativeArena memory = new NativeArena(bytes)) {
            memory.segment(0, bytes).fill(FILLING);
            long at = memory.address();
            Optional<WinogradTail> tail = p.bias() ? Optional.of(new WinogradTail(new Tensor(at + biasAt, bias, Layout.DENSE),
                    p.residual() ? Optional.of(new Tensor(at + residualAt, to, w.layout())) : Optional.empty(),
                    p.activation().isPresent())) : Optional.empty();
            try (Executable kernel = backend.winograd(w, new Tensor(at, from, w.layout()), new Tensor(at + toAt, to, w.layout()),
                    new Tensor(at + weightsAt, weights, Layout.DENSE), tail, at + scratch)) {
                boolean first = compiled.add("%s %s %s %s".formatted(w.direction(), w.dtype(), p.residual(), p.activation()));
                for (long end = System.nanoTime() + (first ? COMPILING_NANOS : SETTLING_NANOS); System.nanoTime() < end; ) {
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
