package io.firn.study;

import io.firn.backend.Backend;
import io.firn.models.Model;
import io.firn.plan.Precision;
import io.firn.train.Bench;
import io.firn.train.BenchReport;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.StepRequest;
import java.util.Locale;
import java.util.Optional;

/** How far this machine is from the rates by which plans predict: a few steps of one net, timed. */
final class Calibration {
    private static final int STEPS = 5;
    private static final int WARM_UP = 5;

    private Calibration() {
    }

    /**
     * Measured over predicted time of a training step.
     *
     * @param options that say where and how precisely: {@code device}, {@code precision}
     */
    static double factor(Model model, Config options, int threads, Devices devices) {
        BenchReport r = Bench.run(new Bench.Request(StepRequest.training(model), b -> precision(options.text("precision"), b),
                options.text("device").orElse("auto"), threads, STEPS, WARM_UP, 0), devices);
        return r.stepMs().median() / r.predictedMs();
    }

    private static Precision precision(Optional<String> asked, Backend backend) {
        Precision p = asked.filter(a -> !a.equals("auto")).map(a -> Precision.valueOf(a.toUpperCase(Locale.ROOT)))
                .orElseGet(backend::bestPrecision);
        backend.check(p);
        return p;
    }
}
