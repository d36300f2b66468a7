package io.firn.study;

import io.firn.backend.Backend;
import io.firn.backend.HostMemory;
import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.CudaTarget;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.error.UserError;
import io.firn.models.NearNames;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.Target;
import io.firn.plan.WholeStep;
import io.firn.train.Config;
import io.firn.train.DeviceMemory;
import io.firn.train.StepRequest;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * The largest net that a device trains by a deadline.
 *
 * @param bytes   of memory
 * @param stepMs  predicted
 * @param seconds of the whole training, predicted, without validation
 */
public record Fit(String baseline, String target, double phi, double depth, double width, int resolution, int batch, long bytes,
                  double stepMs, long steps, double seconds) {
    private static final double STEP = 0.1;
    private static final double MOST = 12;
    private static final int LARGEST_BATCH = 1024;
    /** Share of the memory that a plan may be estimated to take from that of a smaller batch. */
    private static final double SURELY = 0.9;
    private static final int DEFAULT_EPOCHS = 90;

    /** A device that plans are made for. */
    private record Planning(Function<StepRequest, Program> plan, long memory) {
    }

    /**
     * Searches φ by steps of 0.1, and for each the batch that trains the fastest of those that fit, doubling from 8.
     *
     * @param target   a GPU's name, or {@code cpu} for this machine
     * @param deadline seconds
     * @param options  of the training: {@code data}, {@code epochs} (90 unless given), {@code batch} where it is to be that one
     * @throws UserError (memory) where not even φ = 0 fits the device; (usage) where it does not fit the deadline
     */
    public static Fit of(String baseline, Coefficients k, String target, double deadline, Config options, StudyRequest how) {
        Dataset train = Datasets.open(options.text("data").orElseThrow(), how::say).train();
        Baseline net = new Baseline(baseline, options, train);
        if (!target.equals("cpu")) {
            Target gpu = CudaTarget.of(target, name -> NearNames.of(name, CudaTarget.names()));
            CheckedPlans plans = new CheckedPlans(gpu, Engines.notChecked("not asked"), _ -> { });
            return search(net, k, target, deadline, options, train, new Planning(
                    r -> plans.plan(r.planned(precision(options, Precision.BF16))),
                    ((Target.Device.Gpu) gpu.device()).memory() - DeviceMemory.RESERVED));
        }
        try (Backend cpu = how.devices().open("cpu", Runtime.getRuntime().availableProcessors())) {
            return search(net, k, target, deadline, options, train, new Planning(
                    r -> r.plan(cpu, precision(options, cpu.bestPrecision()), _ -> { }).program(),
                    HostMemory.available() - Slots.PROCESS));
        }
    }

    private static Precision precision(Config options, Precision best) {
        return options.text("precision").filter(p -> !p.equals("auto")).map(p -> Precision.valueOf(p.toUpperCase(Locale.ROOT)))
                .orElse(best);
    }

    private static Fit search(Baseline net, Coefficients k, String target, double deadline, Config options, Dataset train,
                              Planning planning) {
        Fit least = at(0, net, k, target, options, train, planning).orElseThrow(() -> UserError.memory(
                "%s does not fit into %s's %.1f GB, not even with the smallest batch; give a lower --resolution or --batch",
                net.model(), target, planning.memory / 1e9));
        if (least.seconds > deadline) {
            throw UserError.usage("--deadline: %s itself takes %.1f h on %s for %d steps (predicted); give that, fewer --epochs or "
                    + "a lower --resolution", net.model(), least.seconds / 3600, target, least.steps);
        }
        int low = 0;
        int high = (int) Math.round(MOST / STEP);
        // Gallop first: large nets take long to plan.
        for (int next = 10; low < high; next = Math.min(2 * next, high)) {
            Optional<Fit> f = at(next * STEP, net, k, target, options, train, planning).filter(x -> x.seconds <= deadline);
            if (f.isEmpty()) {
                high = next - 1;
                break;
            }
            least = f.get();
            low = next;
        }
        while (low < high) {
            int middle = (low + high + 1) / 2;
            Optional<Fit> f = at(middle * STEP, net, k, target, options, train, planning).filter(x -> x.seconds <= deadline);
            if (f.isPresent()) {
                least = f.get();
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return least;
    }

    /** The net at φ with the fastest batch that fits; empty where none does. */
    private static Optional<Fit> at(double phi, Baseline net, Coefficients k, String target, Config options, Dataset train,
                                    Planning planning) {
        Baseline.Sizes s = net.at(k, phi);
        Optional<Integer> asked = options.text("batch").map(Integer::parseInt);
        Fit best = null;
        int most = asked.orElse(Math.min(LARGEST_BATCH, train.size()));
        for (int batch = asked.orElse(8); batch <= most; ) {
            StepRequest request = StepRequest.of(Pricing.net(net.options(s), train, batch), StepRequest.Mode.TRAIN,
                    options.with("deterministic", true), Ranks.ONE);
            Program p = planning.plan.apply(request);
            if (p.bytes() > planning.memory) {
                break;
            }
            WholeStep step = request.step(p);
            long steps = steps(options, train.size() / step.images());
            double seconds = steps * step.predictedMs() / 1e3;
            if (best == null || seconds < best.seconds) {
                best = new Fit(net.model(), target, Math.round(phi * 10) / 10.0, s.depth(), s.width(), s.resolution(), batch,
                        p.bytes(), step.predictedMs(), steps, seconds);
            }
            // What surely fits is not planned but for the last: a larger batch is not slower, and large nets take long to plan.
            long state = p.state().bytes();
            int next = 2 * batch;
            while (2 * next <= most
                    && state + 2L * next / batch * (p.bytes() - state) <= SURELY * planning.memory) {
                next *= 2;
            }
            batch = next;
        }
        return Optional.ofNullable(best);
    }

    private static long steps(Config options, long perEpoch) {
        long epochs = options.text("epochs").map(Long::parseLong).orElse((long) DEFAULT_EPOCHS);
        long most = options.text("max-steps").map(Long::parseLong).orElse(Long.MAX_VALUE);
        return !options.has("epochs") && options.has("max-steps") ? most : Math.min(most, epochs * Math.max(1, perEpoch));
    }
}
