package io.firn.cluster;

import io.firn.error.UserError;
import java.io.IOException;

/** How a rank's exchanges learn that others are in trouble, and tell where they are. */
interface Watch {

    /** An exchange begins: the n-th of this rank. */
    void enters(long exchange);

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
