package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.graph.Counter;
import io.firn.graph.Rates;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * Where a training step's inputs lie. They are filled before every step, since plans take turns in that memory.
 *
 * @param counter keys the step's random numbers; empty where nothing is dropped at random
 * @param stop    whether this rank wants to stop; empty for a single one
 */
record TrainInputs(Plan plan, MemorySegment pixels, MemorySegment labels, MemorySegment rates,
                   Optional<MemorySegment> counter, Optional<MemorySegment> stop) {

    static TrainInputs of(Session session, Plan plan) {
        return new TrainInputs(plan, session.input(plan, "pixels"), session.input(plan, "labels"),
                session.input(plan, "rates"), optional(session, plan, "counter"), optional(session, plan, "stop"));
    }

    private static Optional<MemorySegment> optional(Session session, Plan plan, String name) {
        return plan.graph().inputs().stream().anyMatch(v -> v.name().equals(name))
                ? Optional.of(session.input(plan, name)) : Optional.empty();
    }

    /**
     * @param step  steps that are done, this one left out
     * @param first place of the batch's first image in the batch of all ranks
     */
    void fill(Batch batch, double rate, long step, long seed, int first) {
        MemorySegment.copy(batch.images(), 0, pixels, 0, pixels.byteSize());
        MemorySegment.copy(batch.labels(), 0, labels, ValueLayout.JAVA_INT, 0, batch.labels().length);
        rates.fill((byte) 0);
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE, (float) rate);
        rates.setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, step + 1);
        counter.ifPresent(c -> {
            c.fill((byte) 0);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.SEED_LOW, (int) seed);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.SEED_HIGH, (int) (seed >>> 32));
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.STEP, (int) step);
            c.setAtIndex(ValueLayout.JAVA_INT, Counter.FIRST_SAMPLE, first);
        });
    }
}
