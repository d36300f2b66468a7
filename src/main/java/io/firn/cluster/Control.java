package io.firn.cluster;

import io.firn.backend.Watch;
import io.firn.error.UserError;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The connections between rank 0 and all others, over which every rank gives signs of life and tells why it ends. Rank 0
 * judges: which rank ended without a word, is silent, or does not come to where the others wait; and tells all.
 */
final class Control implements Watch, AutoCloseable {
    private final int rank;
    private final Limits limits;
    private final Map<Peer, Socket> peers = new LinkedHashMap<>();
    private final Thread pulse;
    private Line.Beat own = new Line.Beat(0, false, true);
    private long movedNs = System.nanoTime();
    private UserError verdict;
    private boolean closed;

    /** @param peers rank 0 alone, or all others where this is rank 0 */
    Control(int rank, Limits limits, Map<Peer, Socket> peers) {
        this.rank = rank;
        this.limits = limits;
        this.peers.putAll(peers);
        this.peers.forEach((p, s) -> Thread.ofVirtual().name("firn-hear-" + p.rank).start(() -> hear(p, s)));
        pulse = Thread.ofPlatform().daemon().name("firn-pulse").start(this::pulse);
    }

    @Override
    public synchronized long enters() {
        own = new Line.Beat(own.exchange() + 1, true, own.busy());
        movedNs = System.nanoTime();
        return own.exchange();
    }

    @Override
    public synchronized void leaves() {
        own = new Line.Beat(own.exchange(), false, own.busy());
        movedNs = System.nanoTime();
    }

    synchronized void busy(boolean isBusy) {
        own = new Line.Beat(own.exchange(), own.waiting(), isBusy);
        movedNs = System.nanoTime();
    }

    @Override
    public synchronized void check() {
        if (verdict != null) {
            throw again(verdict);
        }
    }

    @Override
    public UserError lost(IOException failed) {
        // Whoever has caused it is known within moments, or by its silence.
        long until = System.nanoTime() + limits.silent().plus(interval().multipliedBy(4)).toNanos();
        synchronized (this) {
            while (verdict == null && System.nanoTime() < until) {
                pause(20);
            }
            return verdict != null ? again(verdict)
                    : UserError.other("rank %d lost its connection: %s", rank, failed.getMessage()).causedBy(failed);
        }
    }

    private synchronized void pause(long ms) {
        try {
            wait(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Each thread that meets it gets one of its own, with its own trace. */
    private static UserError again(UserError e) {
        return new UserError(e.kind(), e.getMessage());
    }

    private void hear(Peer p, Socket s) {
        String how = "ended without a word";
        try {
            var in = new BufferedInputStream(s.getInputStream());
            for (Line line = Line.read(in); line != null; line = Line.read(in)) {
                switch (line) {
                    case Line.Beat b -> heard(p, b);
                    case Line.End(UserError.Kind kind, String why) -> left(p, kind, why);
                    case Line.Hello h -> throw new IOException("it says hello twice");
                    case Line.Welcome w -> throw new IOException("it welcomes twice");
                }
            }
        } catch (IOException e) {
            how += " (" + e.getMessage() + ")";
        }
        if (!p.hasLeft()) {
            judge(UserError.Kind.OTHER, p + " " + how);
        }
    }

    private synchronized void heard(Peer p, Line.Beat b) {
        if (p.hear(b)) {
            movedNs = System.nanoTime();
        }
    }

    private void left(Peer p, UserError.Kind kind, String why) {
        p.leave();
        if (kind != null) {
            // Rank 0's word is about all; another's about itself.
            judge(kind, rank == 0 && kind != UserError.Kind.STOPPED ? p + ": " + why : why);
        }
    }

    /** Ends all ranks. The first reason stands. */
    private void judge(UserError.Kind kind, String why) {
        synchronized (this) {
            if (verdict != null || closed) {
                return;
            }
            verdict = new UserError(kind, why);
            notifyAll();
        }
        if (rank == 0) {
            peers.forEach((p, s) -> tell(p, s, new Line.End(kind, why)));
        }
    }

    /** Tells all why this rank ends; that is what they end by as well. */
    void leave(UserError.Kind kind, String why) {
        synchronized (this) {
            if (verdict != null) {
                return;
            }
            verdict = new UserError(kind, why);
            notifyAll();
        }
        peers.forEach((p, s) -> tell(p, s, new Line.End(kind, why)));
    }

    private void tell(Peer p, Socket s, Line line) {
        try {
            line.write(s.getOutputStream());
        } catch (IOException e) {
            if (!p.hasLeft() && line instanceof Line.Beat) {
                judge(UserError.Kind.OTHER, "%s ended without a word (%s)".formatted(p, e.getMessage()));
            }
        }
    }

    private Duration interval() {
        return Duration.ofMillis(Math.clamp(limits.silent().toMillis() / 5, 20, 1000));
    }

    private void pulse() {
        while (true) {
            Line.Beat beat;
            synchronized (this) {
                pause(interval().toMillis());
                if (closed) {
                    return;
                }
                beat = own;
            }
            peers.forEach((p, s) -> tell(p, s, beat));
            for (Peer p : peers.keySet()) {
                if (p.isSilent(limits.silent().toNanos())) {
                    judge(UserError.Kind.OTHER, "%s has given no sign of life for %d s".formatted(p, limits.silent().toSeconds()));
                }
            }
            if (rank == 0) {
                judgeStall();
            }
        }
    }

    /** Where nobody has moved for long although somebody waits: those are named that the others wait for. */
    private void judgeStall() {
        String why;
        synchronized (this) {
            if (System.nanoTime() - movedNs < limits.stall().toNanos()) {
                return;
            }
            Map<String, Line.Beat> all = new LinkedHashMap<>();
            all.put("rank 0", own);
            peers.keySet().forEach(p -> all.put(p.toString(), p.last()));
            long least = all.values().stream().mapToLong(Line.Beat::exchange).min().orElse(0);
            List<String> behind = new ArrayList<>();
            all.forEach((name, b) -> {
                if (b.exchange() == least && !b.waiting()) {
                    behind.add(name);
                }
            });
            boolean isAnyBusy = all.values().stream().anyMatch(Line.Beat::busy);
            boolean isAnyWaiting = all.values().stream().anyMatch(Line.Beat::waiting);
            if (isAnyBusy || !isAnyWaiting) {
                return;
            }
            long most = all.values().stream().map(Line.Beat::exchange).max(Comparator.naturalOrder()).orElse(0L);
            why = behind.isEmpty() ? "the ranks wait for each other's data for %d s: see to the network between them"
                    .formatted(limits.stall().toSeconds()) : "%s hangs: it has not come to exchange %d for %d s".formatted(
                    String.join(", ", behind), most, limits.stall().toSeconds());
        }
        judge(UserError.Kind.OTHER, why);
    }

    /** Leaves in peace where there was no reason to leave otherwise. */
    @Override
    public void close() {
        boolean inPeace;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            inPeace = verdict == null;
            notifyAll();
        }
        peers.forEach((p, s) -> {
            if (inPeace) {
                tell(p, s, new Line.End(null, null));
            }
            try {
                s.close();
            } catch (IOException e) {
                // It is given up in any case.
                p.leave();
            }
        });
    }
}
