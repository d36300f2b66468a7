package io.firn.cluster;

/** What one rank knows of another: who it is, where it stands, and when it last gave a sign of life. */
final class Peer {
    final int rank;
    final String who;
    private Line.Beat last = new Line.Beat(0, false, true);
    private long heardNs = System.nanoTime();
    private boolean left;

    Peer(int rank, String who) {
        this.rank = rank;
        this.who = who;
    }

    /** Whether it has got any further. */
    synchronized boolean hear(Line.Beat beat) {
        heardNs = System.nanoTime();
        boolean moved = !beat.equals(last);
        last = beat;
        return moved;
    }

    synchronized void leave() {
        left = true;
    }

    synchronized boolean hasLeft() {
        return left;
    }

    synchronized Line.Beat last() {
        return last;
    }

    synchronized boolean isSilent(long limitNs) {
        return !left && System.nanoTime() - heardNs > limitNs;
    }

    @Override
    public String toString() {
        return "rank %d (%s)".formatted(rank, who);
    }
}
