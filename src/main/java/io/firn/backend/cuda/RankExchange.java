package io.firn.backend.cuda;

import io.firn.backend.Collectives;
import io.firn.backend.Watch;
import io.firn.backend.cuda.Device.Communicator;
import io.firn.backend.cuda.Device.Reduced;
import io.firn.backend.cuda.Device.Stream;
import io.firn.error.UserError;
import io.firn.graph.Collective;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * What a GPU exchanges through with those of the other ranks, and the one owner of the communicator. While there is one,
 * whatever waits for the device looks around: it ends where another rank has ended or hangs, with a message that names it.
 */
final class RankExchange {
    private final Device device;
    private final Collectives ranks;
    private final Communicator communicator;
    /** Whether the ranks cannot end in peace any more. */
    private boolean failed;
    /** The last that was thrown because of others. */
    private UserError ofOthers;

    /** Meets the other ranks: rank 0 tells them how. */
    RankExchange(Device device, Collectives ranks) {
        this.device = device;
        this.ranks = ranks;
        communicator = device.join(id(), ranks.rank(), ranks.ranks());
        try {
            awaitReady();
        } catch (RuntimeException | Error e) {
            giveUp(e);
            throw e;
        }
        device.whileWaiting(this::check);
    }

    private byte[] id() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(Nccl.ID_BYTES);
            if (ranks.rank() == 0) {
                id.copyFrom(MemorySegment.ofArray(device.communicatorId()));
            }
            ranks.broadcast(List.of(id)).run();
            return id.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    Watch watch() {
        return ranks.watch();
    }

    void allReduce(List<Reduced> parts, Collective.AllReduce op, Stream on) {
        if (op.ranks() != ranks.ranks()) {
            throw new IllegalArgumentException("a plan for %d ranks on %d".formatted(op.ranks(), ranks.ranks()));
        }
        failed = true;
        device.allReduce(communicator, parts, op.reduction() == Collective.Reduction.MEAN, on);
        awaitReady();
        failed = false;
    }

    private void awaitReady() {
        Patience.until(this::isReady, this::lookAround);
    }

    private void check() {
        lookAround();
        isReady();
    }

    private void lookAround() {
        try {
            ranks.watch().check();
        } catch (UserError e) {
            ofOthers = e;
            throw e;
        }
    }

    /** Whether it was thrown because another rank has ended or hangs. */
    boolean isOfOthers(UserError e) {
        return e == ofOthers;
    }

    private boolean isReady() {
        try {
            return device.isReady(communicator);
        } catch (UserError e) {
            failed = true;
            // Most often another rank is the cause, and is known a moment later.
            ofOthers = ranks.watch().lost(new IOException(e.getMessage(), e));
            throw ofOthers;
        }
    }

    /**
     * Ends it, before the device's memory is given back and after everything that is recorded was.
     *
     * @param inPeace    whether all is done that was begun; all ranks then end together
     * @param isReleased whether no recording is left, for which NCCL would wait for ever
     */
    void close(boolean inPeace, boolean isReleased) {
        device.whileWaiting(null);
        if (!isReleased) {
            return;
        }
        if (!inPeace || failed) {
            device.abort(communicator);
            return;
        }
        try {
            device.finish(communicator);
            awaitReady();
        } catch (RuntimeException | Error e) {
            giveUp(e);
            throw e;
        }
        device.release(communicator);
    }

    private void giveUp(Throwable why) {
        try {
            device.abort(communicator);
        } catch (RuntimeException e) {
            why.addSuppressed(e);
        }
    }
}
