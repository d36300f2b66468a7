package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.graph.Rates;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One optimizer step on a device: a batch, or several whose gradients are added up and then applied. There is a plan for
 * each resolution that the training uses.
 */
final class TrainStep {
    private static final String NORM = "gradient_norm";

    private final Session session;
    private final Map<Integer, TrainInputs> inputs = new HashMap<>();
    private final Optional<Plan> apply;
    private final int microBatches;
    private final long seed;
    private final float[] scalar = new float[1];
    private long ns;
    private long waitNs;

    /**
     * A step that was begun.
     *
     * @param gradientNorm global norm of its gradients before clipping; null where they are not clipped
     */
    record Begun(double rate, Session.Awaited loss, Float gradientNorm) {

        /** Whether nothing was changed, since its gradients were not finite. */
        boolean wasSkipped() {
            return gradientNorm != null && !Float.isFinite(gradientNorm);
        }
    }

    TrainStep(Setup setup, Session session, ImageInput images) {
        this.session = session;
        seed = setup.options().run().seed();
        microBatches = setup.options().update().gradAccumulation();
        for (int resolution : setup.resolutions()) {
            inputs.put(resolution, TrainInputs.of(session, session.program().plan(Plans.training(setup, resolution)), images));
        }
        apply = session.program().plans().stream().filter(p -> p.name().equals(Plans.APPLY)).findFirst();
    }

    /**
     * Takes the next batches, and begins a step. Where there is more to it than one plan and its loss, it is done when this
     * returns.
     *
     * @param step  steps that were begun before
     * @param first place of this rank's first image in a batch of all ranks
     * @param stop  whether this rank wants to stop
     */
    Begun begin(Batches batches, int resolution, double rate, long step, int first, boolean stop) {
        TrainInputs in = inputs.get(resolution);
        Plan last = apply.orElse(in.plan());
        boolean clips = last.graph().outputs().containsKey(NORM);
        if (microBatches == 1 && !clips) {
            fill(in, batches, rate, step, 0, first, stop);
            long start = System.nanoTime();
            Session.Awaited loss = session.begin(in.plan(), "loss");
            ns += System.nanoTime() - start;
            return new Begun(rate, loss, null);
        }
        double sum = 0;
        for (int micro = 0; micro < microBatches; micro++) {
            fill(in, batches, rate, step, micro, first, stop);
            run(in.plan());
            session.output(in.plan(), "loss", scalar);
            sum += scalar[0];
        }
        apply.ifPresent(plan -> {
            MemorySegment rates = session.input(plan, "rates").fill((byte) 0);
            rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE, (float) rate);
            rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, step + 1);
            run(plan);
        });
        Float norm = null;
        if (clips) {
            session.output(last, NORM, scalar);
            norm = scalar[0];
        }
        float mean = (float) (sum / microBatches);
        return new Begun(rate, to -> to[0] = mean, norm);
    }

    private void fill(TrainInputs in, Batches batches, double rate, long step, int micro, int first, boolean stop) {
        long asked = System.nanoTime();
        try (Batch batch = batches.next()) {
            waitNs += System.nanoTime() - asked;
            in.fill(batch, rate, step, micro, seed, first, stop);
        }
    }

    private void run(Plan plan) {
        long start = System.nanoTime();
        session.step(plan);
        ns += System.nanoTime() - start;
    }

    /** Whether steps take and give word of whether any rank wants to stop. */
    boolean isShared() {
        return inputs.values().stream().anyMatch(TrainInputs::shared);
    }

    /** The plan that takes images of that size. */
    Plan plan(int resolution) {
        return inputs.get(resolution).plan();
    }

    /** Mean loss of a step's images; waits until it is there. */
    float await(Begun begun) {
        long start = System.nanoTime();
        begun.loss.copy(scalar);
        ns += System.nanoTime() - start;
        return scalar[0];
    }

    /** Nanoseconds that the device's steps took so far. */
    long ns() {
        return ns;
    }

    /** Nanoseconds that were waited for images so far. */
    long waitNs() {
        return waitNs;
    }
}
