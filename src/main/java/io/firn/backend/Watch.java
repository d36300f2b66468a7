package io.firn.backend;

import io.firn.error.UserError;
import java.io.IOException;

/** How a rank's exchanges learn that others are in trouble, and tell where they are. */
public interface Watch {

    /** There is nobody else to be in trouble. */
    Watch NOBODY = new Watch() {
        @Override
        public long enters() {
            return 0;
        }

        @Override
        public void leaves() {
        }

        @Override
        public void check() {
        }

        @Override
        public UserError lost(IOException failed) {
            return UserError.other("%s", failed.getMessage()).causedBy(failed);
        }
    };

    /** This rank comes to the next exchange, for which the others may be waiting: its number, from 1. */
    long enters();

    /** It is done. */
    void leaves();

    /**
     * Gives up where another rank has ended or hangs.
     *
     * @throws UserError that names it
     */
    void check();

    /** What a failed connection means, once it is known which rank has caused it. */
    UserError lost(IOException failed);
}
