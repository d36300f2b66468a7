package io.firn.study;

import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.CudaTarget;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.data.Dataset;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.models.NearNames;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.Target;
import io.firn.plan.WholeStep;
import io.firn.train.Config;
import io.firn.train.Defaults;
import io.firn.train.DeviceMemory;
import io.firn.train.Devices;
import io.firn.train.Price;
import io.firn.train.StepRequest;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** What trainings cost, by planning them. */
@FunctionalInterface
interface Pricing {

    /** The price of a training with these options, which say the number of steps. */
    Price of(Config options);

    /**
     * On this machine. What was asked before is not planned again.
     *
     * @param measure whether to measure now which kernels are the fastest, as the trainings would do
     */
    static Pricing here(Devices devices, boolean measure) {
        Map<Config, Price> known = new HashMap<>();
        return options -> known.computeIfAbsent(options, o -> Price.of(o, devices, measure, _ -> { }));
    }

    /**
     * On a GPU that need not be here. Validation is not counted.
     *
     * @param target a name such as {@code h100}
     * @throws io.firn.error.UserError (usage) where there is no such target
     */
    static Pricing on(String target, Dataset train) {
        Target gpu = CudaTarget.of(target, name -> NearNames.of(name, CudaTarget.names()));
        CheckedPlans plans = new CheckedPlans(gpu, Engines.notChecked("not asked"), _ -> { });
        return options -> {
            Model one = net(options, train, 1);
            int batch = options.text("batch").map(Integer::parseInt).orElseGet(() -> Defaults.batch(one.options().resolution()));
            Model net = net(options, train, batch);
            Precision precision = options.text("precision").filter(p -> !p.equals("auto"))
                    .map(p -> Precision.valueOf(p.toUpperCase(Locale.ROOT))).orElse(Precision.BF16);
            StepRequest request = StepRequest.of(net, StepRequest.Mode.TRAIN, options, Ranks.ONE);
            Program p = plans.plan(request.planned(precision));
            WholeStep step = request.step(p);
            long steps = Long.parseLong(options.text("max-steps").orElseThrow());
            return new Price(net.name(), batch, net.options().resolution(), net.graph().parameterCount(), one.multiplyAdds(),
                    step.flops(), p.bytes() + DeviceMemory.RESERVED, step.predictedMs(), 0, steps,
                    Math.ceilDiv(steps, Math.max(1, train.size() / step.images())));
        };
    }

    /** The network that a training's options describe, for these images. */
    static Model net(Config options, Dataset train, int batch) {
        Map<String, Object> o = options.values();
        int own = train.uniformSize().filter(s -> s.height() == s.width()).map(s -> s.height()).orElse(0);
        int resolution = o.get("resolution") instanceof Number r ? r.intValue() : own;
        return Models.build(String.valueOf(o.get("model")), new ModelOptions(batch, train.classes().size(), train.channels(),
                resolution, OptionalDouble.empty(), OptionalDouble.empty(), factor(o.get("width")), factor(o.get("depth")),
                OptionalDouble.empty()));
    }

    private static OptionalDouble factor(Object given) {
        return given instanceof Number n ? OptionalDouble.of(n.doubleValue()) : OptionalDouble.empty();
    }
}
