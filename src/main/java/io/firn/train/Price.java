package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.Tuned;
import io.firn.graph.State;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import io.firn.plan.WholeStep;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * What a training will cost, as its plans say before it runs.
 *
 * @param model        its name
 * @param parameters   scalars that could be trained
 * @param multiplyAdds of one image's forward pass
 * @param flops        of a training step; where resolutions change, the mean over the training's steps
 * @param bytes        of memory: both arenas, the loader's buffers and what a training has beside them
 * @param trainMs      of a training step, predicted; a mean likewise
 * @param evaluateMs   of an epoch's validation, predicted; 0 without one
 * @param steps        of the whole training
 * @param epochs       begun
 */
public record Price(String model, int batch, int resolution, long parameters, long multiplyAdds, long flops, long bytes,
                    double trainMs, double evaluateMs, long steps, long epochs) {

    /**
     * Plans a training and adds up.
     *
     * @param asked   the training's options
     * @param measure whether to measure now which kernels are the fastest, as the training would do; if not, what was not
     *                measured before is chosen by estimate
     */
    public static Price of(Config asked, Devices devices, boolean measure, Consumer<String> say) {
        Setup s = Setup.of(asked, devices, say);
        try (Backend backend = s.backend()) {
            Tuned tuned = measure ? Plans.tuned(s) : Plans.known(s);
            Program program = tuned.program();
            Mean step = Mean.of(s, program);
            long steps = s.totalSteps();
            double evaluateMs = s.validation().map(v -> {
                Plan evaluate = program.plan(Plans.EVALUATE);
                return evaluate.predictedMs() * Math.ceilDiv(v.size(), evaluate.batch());
            }).orElse(0.0);
            long parameters = program.state().states().values().stream().filter(p -> p.kind() == State.Kind.PARAMETER)
                    .mapToLong(p -> p.value().shape().elements()).sum();
            return new Price(s.options().net().model(), s.options().recipe().batch(), s.options().net().resolution(), parameters,
                    s.model(1).multiplyAdds(), Math.round(step.flops), Plans.bytes(s, program), step.ms, evaluateMs,
                    steps, Math.ceilDiv(steps, s.stepsPerEpoch()));
        }
    }

    /** Of all steps, whatever the resolution of their images. */
    private record Mean(double flops, double ms) {
        static Mean of(Setup s, Program program) {
            Map<Integer, Long> steps = new TreeMap<>();
            long left = s.totalSteps();
            for (int epoch = 0; left > 0; epoch++) {
                long n = Math.min(left, s.stepsPerEpoch());
                steps.merge(s.resolution(epoch), n, Long::sum);
                left -= n;
            }
            double flops = 0;
            double ms = 0;
            for (Map.Entry<Integer, Long> e : steps.entrySet()) {
                WholeStep step = Plans.step(s, program, e.getKey());
                double share = (double) e.getValue() / s.totalSteps();
                flops += share * step.flops();
                ms += share * step.predictedMs();
            }
            return new Mean(flops, ms);
        }
    }

    /** Predicted, of the whole training. */
    public double seconds() {
        return (steps * trainMs + epochs * evaluateMs) / 1e3;
    }

    /** Of all training steps. */
    public double totalFlops() {
        return (double) flops * steps;
    }
}
