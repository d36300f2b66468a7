package io.firn.train;

import io.firn.backend.HostMemory;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import io.firn.plan.WholeStep;
import java.util.Locale;

/**
 * What a phase costs with its features kept and without, as its plans predict.
 *
 * @param once    seconds that filling the cache takes
 * @param kept    seconds of an epoch from the cache, validation included
 * @param without seconds of an epoch that computes what is frozen in each step
 */
record FeatureCost(int epochs, double once, double kept, double without) {
    /** Bytes a second of a plain disk: assumed. */
    private static final double DISK = 200e6;

    static FeatureCost of(Setup s, Program program, long bytes, boolean inMemory) {
        Plan prefix = program.plan(FrozenPrefix.PLAN);
        int batch = prefix.batch();
        long steps = Math.max(1, s.train().size() / batch);
        long validations = s.validation().map(v -> (long) Math.ceilDiv(v.size(), batch)).orElse(0L);
        WholeStep step = Plans.step(s, program);
        double rest = (double) steps / step.times() * step.predictedMs()
                + (validations == 0 ? 0 : validations * program.plan(Plans.EVALUATE).predictedMs());
        double frozen = (steps + validations) * prefix.predictedMs();
        double filling = ((long) FrozenPrefix.views(s) * Math.ceilDiv(s.train().size(), batch) + validations)
                * prefix.predictedMs();
        double disk = inMemory ? 0 : bytes / DISK;
        // Each epoch reads a view of each image, from the disk where all of them fit nowhere else.
        double read = bytes / (double) FrozenPrefix.views(s)
                / (bytes > HostMemory.available() ? DISK : prefix.target().rates().bandwidth());
        return new FeatureCost(s.phaseEpochs(), filling / 1e3 + disk, rest / 1e3 + read, (rest + frozen) / 1e3);
    }

    boolean wins() {
        return once + epochs * kept < epochs * without;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "predicted: %.3g s once, then %.3g s an epoch instead of %.3g s", once, kept, without);
    }
}
