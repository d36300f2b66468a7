package io.firn.train;

import io.firn.backend.Collectives;
import io.firn.error.UserError;

/**
 * The ranks of one training, as each of them sees the others. All call {@link #share} and run the prepared exchanges in
 * the same order; whatever ends one of them ends all, with a message that names it.
 */
public interface Team extends AutoCloseable {

    /** A training on its own. */
    Team ALONE = new Team() {
        @Override
        public Collectives collectives() {
            return Collectives.ALONE;
        }

        @Override
        public byte[] share(byte[] message) {
            return message;
        }

        @Override
        public void busy(boolean isBusy) {
        }

        @Override
        public void leave(UserError.Kind kind, String why) {
        }

        @Override
        public void close() {
        }
    };

    /** What is exchanged within a step. */
    Collectives collectives();

    default int rank() {
        return collectives().rank();
    }

    default int ranks() {
        return collectives().ranks();
    }

    /** Whether this is rank 0, which decides, writes the run's folder and speaks. */
    default boolean leads() {
        return rank() == 0;
    }

    /** Rank 0's message, on all ranks; what the others give is ignored. */
    byte[] share(byte[] message);

    /** Says that this rank is at something long, so that the others' waiting for it is no sign of trouble; or no longer. */
    void busy(boolean isBusy);

    /** Ends all ranks with this reason; to be called before what the exchanges use is freed. */
    void leave(UserError.Kind kind, String why);

    /** Leaves in peace: the training is done. */
    @Override
    void close();
}
