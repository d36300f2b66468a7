package io.firn.backend.cuda;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waiting that can be given up: for what may never come, since it depends on other ranks. */
final class Patience {
    private static final int SPINS = 200;
    private static final long NAP_NS = 20_000;

    private Patience() {
    }

    /** @param check asked in between: what it throws ends the waiting */
    static void until(BooleanSupplier done, Runnable check) {
        for (int i = 0; !done.getAsBoolean(); i++) {
            if (i < SPINS) {
                Thread.onSpinWait();
            } else {
                check.run();
                LockSupport.parkNanos(NAP_NS);
            }
        }
    }
}
