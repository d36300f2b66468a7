package io.firn.study;

import io.firn.error.UserError;
import io.firn.train.Config;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.LongFunction;

/** How many steps the runs of a study make: all the same number of images, so that nothing but the nets differs. */
final class Length {
    /** Below that the steps of the rate and the warm-up mean nothing. */
    static final long LEAST_STEPS = 20;

    private Length() {
    }

    /**
     * Steps of every run: as asked, or as many as the budget allows.
     *
     * @param asked    the trainings' options
     * @param perEpoch steps
     * @param jobs     priced, for a number of steps
     * @param factor   measured over predicted time; asked only where time counts
     */
    static long steps(Config asked, Budget budget, long perEpoch, LongFunction<List<Job>> jobs, DoubleSupplier factor,
                      Slots slots) {
        if (asked.has("max-steps") || asked.has("epochs")) {
            long most = asked.text("max-steps").map(s -> number("max-steps", s)).orElse(Long.MAX_VALUE);
            return Math.min(most, asked.text("epochs").map(e -> number("epochs", e) * perEpoch).orElse(Long.MAX_VALUE));
        }
        List<Job> epoch = jobs.apply(perEpoch);
        double allowed = switch (budget) {
            case Budget.Flops f -> f.operations() / epoch.stream().mapToDouble(j -> j.price().flops()).sum();
            case Budget.Time t -> t.seconds() * slots.count() * perEpoch
                    / (epoch.stream().mapToDouble(j -> j.price().seconds()).sum() * factor.getAsDouble());
        };
        long steps = (long) allowed;
        if (steps < LEAST_STEPS) {
            throw UserError.usage("--budget allows %d steps for each of the %d runs, and fewer than %d tell nothing; give %.0f "
                    + "times as much, fewer or smaller nets, fewer --seeds or a lower --resolution", steps, epoch.size(),
                    LEAST_STEPS, Math.ceil(LEAST_STEPS / allowed));
        }
        return steps;
    }

    private static long number(String option, String text) {
        try {
            long n = Long.parseLong(text);
            if (n >= 1) {
                return n;
            }
        } catch (NumberFormatException e) {
            // The same answer.
        }
        throw UserError.usage("--%s %s: must be a whole number of at least 1", option, text);
    }
}
