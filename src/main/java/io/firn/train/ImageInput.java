package io.firn.train;

import io.firn.backend.Session;
import io.firn.data.Batch;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;

/** Puts a batch's images into a plan, right before its step. */
@FunctionalInterface
interface ImageInput {
    void put(Batch batch, Plan plan);

    /** The pixels themselves. */
    static ImageInput pixels(Session session) {
        return (batch, plan) -> {
            MemorySegment pixels = session.input(plan, "pixels");
            MemorySegment.copy(batch.images(), 0, pixels, 0, pixels.byteSize());
        };
    }
}
