package io.firn.train;

import io.firn.error.UserError;
import io.firn.graph.Update;
import java.util.List;

/**
 * How the weights are trained.
 *
 * @param epochs         passes over the training images; null where {@code maxSteps} alone says how long
 * @param maxSteps       steps after which the run ends, whatever {@code epochs} says; null for no limit
 * @param batch          images in a step
 * @param optimizer      with PyTorch's semantics
 * @param lr             learning rate after warm-up
 * @param momentum       of SGD and RMSprop; AdamW's β₁
 * @param weightDecay    of all parameters, as PyTorch's optimizers have it: decoupled for AdamW, else added to gradients
 * @param schedule       the curve of the learning rate after warm-up
 * @param milestones     epochs from which each lower rate of {@code step} holds, ascending; fractions are allowed
 * @param gamma          factor at each milestone
 * @param warmupEpochs   epochs of linear warm-up; fractions are allowed
 * @param decayEpochs    with {@code step} and no milestones, the rate falls every so many epochs; null for none
 * @param labelSmoothing share of a label's weight that is spread over all classes
 */
public record Recipe(Integer epochs, Long maxSteps, int batch, Optimizer optimizer, double lr, double momentum,
                     double weightDecay, Schedule.Kind schedule, List<Double> milestones, double gamma,
                     Double decayEpochs, double warmupEpochs, double labelSmoothing) {

    /** What turns gradients into steps. */
    public enum Optimizer {
        SGD, ADAMW, RMSPROP,
        /** RMSprop as TensorFlow has it, with EfficientNet's constants. */
        RMSPROPTF,
        /** Layer-wise adaptive rates. */
        LARS;

        /** Beyond any rate that it trains with. */
        double largestRate() {
            return this == SGD || this == LARS ? 10 : 1;
        }

        /** The same for all parameters. */
        Update update(double momentum, double weightDecay) {
            return update(momentum, weightDecay, false, 1);
        }

        /**
         * What a parameter's step is. Constants that are no options are PyTorch's defaults; those of RMSPROPTF are Tan and
         * Le's (arXiv 1905.11946, section 5), those of LARS timm's.
         *
         * @param factor of the learning rate
         */
        Update update(double momentum, double weightDecay, boolean nesterov, double factor) {
            return switch (this) {
                case SGD -> new Update.Sgd(momentum, weightDecay, nesterov, factor);
                case ADAMW -> new Update.AdamW(momentum, 0.999, 1e-8, weightDecay, factor);
                case RMSPROP -> new Update.RmsProp(0.99, 1e-8, false, momentum, weightDecay, factor);
                case RMSPROPTF -> new Update.RmsProp(0.9, 1e-3, true, momentum, weightDecay, factor);
                case LARS -> new Update.Lars(momentum, 1e-3, 1e-8, weightDecay, factor);
            };
        }
    }

    public Recipe {
        if (epochs == null && maxSteps == null) {
            throw new IllegalArgumentException("neither epochs nor steps");
        }
        if (epochs != null) {
            Range.atLeast("epochs", epochs, 1);
        }
        if (maxSteps != null) {
            Range.atLeast("max-steps", maxSteps, 1);
        }
        Range.atLeast("batch", batch, 1);
        Range.between("lr", lr, 0, Double.POSITIVE_INFINITY);
        Range.below("momentum", momentum, 0, 1);
        Range.between("weight-decay", weightDecay, 0, Double.POSITIVE_INFINITY);
        milestones = milestones == null ? List.of() : List.copyOf(milestones);
        double before = 0;
        for (double m : milestones) {
            if (!(m > before)) {
                throw UserError.usage("--milestones %s: must be epochs above 0 in ascending order", milestones);
            }
            before = m;
        }
        if (decayEpochs != null) {
            Range.positive("decay-epochs", decayEpochs);
        }
        Range.between("gamma", gamma, 0, 1);
        Range.between("warmup-epochs", warmupEpochs, 0, Double.POSITIVE_INFINITY);
        Range.below("label-smoothing", labelSmoothing, 0, 1);
        if (epochs != null && warmupEpochs >= epochs) {
            throw UserError.usage("--warmup-epochs %s: must be less than --epochs %d", warmupEpochs, epochs);
        }
    }

    /** Steps that the schedule spans: all epochs where their number is given, even if {@code maxSteps} ends the run before. */
    public long scheduledSteps(long stepsPerEpoch) {
        return epochs == null ? maxSteps : epochs * stepsPerEpoch;
    }

    /** Steps after which the run ends. */
    public long totalSteps(long stepsPerEpoch) {
        long scheduled = scheduledSteps(stepsPerEpoch);
        return maxSteps == null ? scheduled : Math.min(maxSteps, scheduled);
    }

    /** What each parameter's step is, if they are all alike. */
    public Update update() {
        return optimizer.update(momentum, weightDecay);
    }
}
