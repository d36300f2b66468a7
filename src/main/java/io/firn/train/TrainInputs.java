package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.graph.Counter;
import io.firn.graph.Rates;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A training step's inputs. They are filled before every step, since plans take turns in that memory.
 *
 * @param images what puts a batch's images into the plan
 * @param mixed  whether images are mixed in pairs, so that each has two labels
 * @param random whether the step drops something at random, which the counter keys
 * @param shared whether it is one of several ranks' steps, which tell each other whether to stop
 */
record TrainInputs(Session session, Plan plan, ImageInput images, boolean mixed, boolean random, boolean shared) {

    static TrainInputs of(Session session, Plan plan, ImageInput images) {
        return new TrainInputs(session, plan, images, has(plan, "partners"), has(plan, "counter"), has(plan, "stop"));
    }

    private static boolean has(Plan plan, String input) {
        return plan.graph().inputs().stream().anyMatch(v -> v.name().equals(input));
    }

    /**
     * @param step  steps that are done, this one left out
     * @param micro batches of this step that are done
     * @param first place of the batch's first image in the batch of all ranks
     * @param stop  whether this rank wants to stop
     */
    void fill(Batch batch, double rate, long step, int micro, long seed, int first, boolean stop) {
        images.put(batch, plan);
        MemorySegment.copy(batch.labels(), 0, session.input(plan, "labels"), ValueLayout.JAVA_INT, 0, batch.labels().length);
        if (mixed) {
            MemorySegment partners = session.input(plan, "partners");
            for (int i = 0; i < batch.labels().length; i++) {
                partners.setAtIndex(ValueLayout.JAVA_INT, i, batch.partner(i));
            }
        }
        MemorySegment rates = session.input(plan, "rates").fill((byte) 0);
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.MIX, (float) batch.lambda());
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE, (float) rate);
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, step + 1);
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.KEEP, micro == 0 ? 0 : 1);
        if (random) {
            MemorySegment c = session.input(plan, "counter").fill((byte) 0);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.SEED_LOW, (int) seed);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.SEED_HIGH, (int) (seed >>> 32));
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.STEP, (int) step);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.MICRO_STEP, micro);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.FIRST_SAMPLE, first);
        }
        if (shared) {
            session.input(plan, "stop").setAtIndex(ValueLayout.JAVA_FLOAT, 0, stop ? 1 : 0);
        }
    }
}
