package io.firn.train;

import io.firn.backend.Backend;
import java.util.function.LongSupplier;

/** What a loaded program takes of the memory that it computes in: the GPU's own, or this process's resident memory. */
record MemoryUse(LongSupplier grown) {

    /**
     * To be asked for before the program is loaded.
     *
     * @param idle the process as it is without one
     */
    static MemoryUse of(Backend backend, ResidentMemory idle) {
        if (backend.freeMemory().isEmpty()) {
            return new MemoryUse(idle::growth);
        }
        long before = backend.freeMemory().getAsLong();
        return new MemoryUse(() -> Math.max(0, before - backend.freeMemory().getAsLong()));
    }

    /** Bytes since then; on a GPU what other processes took meanwhile counts as well. */
    long growth() {
        return grown.getAsLong();
    }
}
