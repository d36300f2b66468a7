package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.Peaks;
import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.graph.DType;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.plan.WholeStep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;

/**
 * Times a model's step: throughput, memory, and the share of the machine's own measured peak that it reaches. The data is
 * random and in memory already, as for any comparison of frameworks.
 */
public final class Bench {
    /** So small that nothing diverges on noise, whatever the net. */
    private static final double RATE = 1e-5;
    private static final int LAUNCH_RUNS = 3;
    private static final int PROFILED_STEPS = 3;
    private static final long SEED = 1;

    private final Request request;
    private final Precision precision;
    private final WholeStep step;
    private final Session session;

    /**
     * What to time.
     *
     * @param precision on the device that was opened
     * @param steps     to time
     * @param warmup    steps before, which are not counted
     * @param launches  how many of the slowest launches to list
     * @param profile   file for a trace of a few more steps, each launch of which is timed
     */
    public record Request(StepRequest step, Function<Backend, Precision> precision, String device, int threads, int steps,
                          int warmup, int launches, Optional<Path> profile) {
        public Request {
            Range.atLeast("steps", steps, 1);
            Range.atLeast("warmup", warmup, 0);
            Range.atLeast("launches", launches, 0);
        }
    }

    private Bench(Request request, Precision precision, Session session) {
        this.request = request;
        this.precision = precision;
        this.session = session;
        step = request.step().step(session.program());
    }

    /**
     * Runs the steps.
     *
     * @throws UserError for options that make no sense and where the memory does not suffice
     */
    public static BenchReport run(Request request, Devices devices) {
        try (Backend backend = devices.open(request.device(), request.threads())) {
            // As of a framework that has been imported.
            ResidentMemory idle = ResidentMemory.now();
            Precision precision = request.precision().apply(backend);
            Tuned tuned = request.step().plan(backend, precision, p -> {
                checkMemory(backend, request, p);
                return true;
            });
            checkMemory(backend, request, tuned.program());
            MemoryUse use = MemoryUse.of(backend, idle);
            try (Session session = backend.load(tuned.program())) {
                Bench bench = new Bench(request, precision, session);
                double[] ms = bench.steps();
                long memory = use.growth();
                request.profile().ifPresent(bench::profile);
                // Last, since it needs memory of its own.
                Peaks peaks = backend.measurePeaks();
                return bench.report(ms, memory, peaks, backend);
            }
        }
    }

    private static void checkMemory(Backend backend, Request r, Program program) {
        long available = backend.freeMemory().orElseGet(HostMemory::available);
        if (backend.memory(program) > available) {
            throw UserError.memory("--batch %d needs %.1f GB of memory, and %.1f GB are free; lower --batch or --resolution",
                    r.step().model().options().batch(), backend.memory(program) / 1e9, available / 1e9);
        }
    }

    private double[] steps() {
        InitialStates.random(request.step().model(), SEED).write(session);
        step.plans().forEach(p -> FixedInputs.fill(session, p, RATE, new Random(SEED)));
        double[] ms = new double[request.steps()];
        for (int i = -request.warmup(); i < ms.length; i++) {
            double took = FixedInputs.timed(session, step, RATE, i + request.warmup());
            if (i >= 0) {
                ms[i] = took;
            }
        }
        return ms;
    }

    private void profile(Path file) {
        Trace trace = new Trace();
        for (int i = 0; i < PROFILED_STEPS; i++) {
            for (Plan p : step.plans()) {
                for (int times = step.times(p); times > 0; times--) {
                    profile(trace, i, p);
                }
            }
        }
        trace.write(file);
    }

    private void profile(Trace trace, int number, Plan p) {
        trace.startPlan();
        long[] zero = {Long.MIN_VALUE};
        session.step(p, (launch, from, to) -> {
            zero[0] = zero[0] == Long.MIN_VALUE ? from : zero[0];
            trace.add(number, launch, from - zero[0], to - zero[0]);
        });
    }

    private BenchReport report(double[] ms, long memory, Peaks peaks, Backend backend) {
        var stepMs = BenchReport.Spread.of(ms);
        double roofline = step.sum(p -> p.launches().stream().mapToDouble(l -> roofline(l, peaks)).sum());
        var o = request.step().model().options();
        return new BenchReport(request.step().model().name(), backend.target().name(), precision.label(), o.batch(),
                step.times(), o.resolution(), request.step().mode().label(), request.step().freeze(), stepMs.inverse(t -> 1e3 * step.images() / t), stepMs,
                memory, 1e3 * roofline / stepMs.median(), ms.length, request.warmup(), request.threads(),
                session.program().bytes(), step.predictedMs(), step.flops(), step.bytes(), peaks,
                backend.kernels(TuningTable.EMPTY).versions(), request.launches() == 0 ? List.of() : slowest(peaks));
    }

    /** Seconds that the launch takes at least; products whose operands are f32 in a bf16 plan are products of f32. */
    private static double roofline(Launch l, Peaks peaks) {
        return peaks.seconds(l.flops(), l.bytes(), l.subgraph().anchor().input(0).dtype() == DType.BF16);
    }

    private List<BenchReport.LaunchTime> slowest(Peaks peaks) {
        List<BenchReport.LaunchTime> times = new ArrayList<>();
        for (Plan p : step.plans()) {
            List<Launch> all = p.launches();
            double[] best = fastest(p);
            for (int i = 0; i < best.length; i++) {
                Launch l = all.get(i);
                times.add(new BenchReport.LaunchTime(l.name(), l.op(), l.phase().label(), l.kernel().toString(), 1e3 * best[i],
                        l.flops() / best[i] / 1e9, l.bytes() / best[i] / 1e9, roofline(l, peaks) / best[i]));
            }
        }
        times.sort(Comparator.comparingDouble(BenchReport.LaunchTime::ms).reversed());
        return times.subList(0, Math.min(request.launches(), times.size()));
    }

    /** Seconds that each launch of a plan takes, the least of a few runs. */
    private double[] fastest(Plan p) {
        double[] best = new double[p.launches().size()];
        Arrays.fill(best, Double.POSITIVE_INFINITY);
        for (int run = 0; run < LAUNCH_RUNS; run++) {
            int[] next = {0};
            session.step(p, (_, start, end) -> {
                best[next[0]] = Math.min(best[next[0]], (end - start) / 1e9);
                next[0]++;
            });
        }
        return best;
    }
}
