package io.firn.backend;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What the ranks of one training exchange. Every rank prepares and runs the same exchanges in the same order.
 *
 * <p>An exchange that fails, since a rank ended or hangs, throws a {@link io.firn.error.UserError} that names it.
 */
public interface Collectives {

    /** A single rank: it has nobody to exchange anything with. */
    Collectives ALONE = new Collectives() {
        @Override
        public int rank() {
            return 0;
        }

        @Override
        public int ranks() {
            return 1;
        }

        @Override
        public Watch watch() {
            return Watch.NOBODY;
        }

        @Override
        public Runnable allReduce(List<MemorySegment> pieces, float factor) {
            throw new IllegalStateException("a single rank reduces nothing");
        }

        @Override
        public Runnable broadcast(List<MemorySegment> pieces) {
            return () -> { };
        }
    };

    /** This rank's number, from 0. */
    int rank();

    /** How many there are. */
    int ranks();

    /** What a device looks at that carries out exchanges by itself, in the order in which all ranks do. */
    Watch watch();

    /**
     * Prepares an exchange that replaces each f32 element of these pieces of native memory by {@code factor} times its sum
     * over all ranks. All ranks get the same bits, whichever comes first, and the same ones whenever they have the same
     * elements.
     *
     * @param pieces of the same sizes on each rank
     */
    Runnable allReduce(List<MemorySegment> pieces, float factor);

    /** Prepares an exchange that replaces the bytes of these pieces by those of rank 0. */
    Runnable broadcast(List<MemorySegment> pieces);
}
