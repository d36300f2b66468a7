package io.firn.cluster;

import io.firn.backend.Collectives;
import io.firn.backend.Watch;
import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.List;

/**
 * Exchanges over TCP between ranks in a ring, each of which sends to the next and receives from the one before. An
 * all-reduce sends 2 (p - 1) / p times its bytes from each rank (Patarasuk and Yuan 2009), and adds each element in the
 * same order always, so that all ranks get the same bits in every run. One thread at a time.
 */
final class Ring implements Collectives, AutoCloseable {
    private static final int BUFFER = 256 << 10;
    /** Number of the exchange, bytes of the message. */
    private static final int HEADER = 16;
    private static final int LOOK_AROUND_MS = 50;

    private final int rank;
    private final int ranks;
    private final SocketChannel previous;
    private final SocketChannel next;
    private final Watch watch;
    private final Selector selector;
    private final SelectionKey readable;
    private final SelectionKey writable;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(BUFFER, 64);
    private final MemorySegment in = arena.allocate(BUFFER, 64);
    private final ByteBuffer sending = out.asByteBuffer();
    private final ByteBuffer receiving = in.asByteBuffer();
    /** The number of the one that is on. */
    private long exchange;

    /** @param watch knows why a rank is gone, and is told of progress */
    Ring(int rank, int ranks, SocketChannel previous, SocketChannel next, Watch watch) throws IOException {
        this.rank = rank;
        this.ranks = ranks;
        this.previous = previous;
        this.next = next;
        this.watch = watch;
        selector = Selector.open();
        previous.configureBlocking(false);
        next.configureBlocking(false);
        readable = previous.register(selector, 0);
        writable = next.register(selector, 0);
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int ranks() {
        return ranks;
    }

    @Override
    public Watch watch() {
        return watch;
    }

    @Override
    public Runnable allReduce(List<MemorySegment> list, float factor) {
        Pieces pieces = new Pieces(list);
        return () -> exchange(() -> allReduce(pieces, factor));
    }

    @Override
    public Runnable broadcast(List<MemorySegment> list) {
        Pieces pieces = new Pieces(list);
        return () -> exchange(() -> broadcast(pieces));
    }

    /** What may fail because of the network or of another rank. */
    private interface Exchange {
        void run() throws IOException;
    }

    private void exchange(Exchange e) {
        exchange = watch.enters();
        try {
            e.run();
        } catch (IOException failed) {
            throw watch.lost(failed);
        } finally {
            watch.leaves();
        }
    }

    /** Each rank adds up one share of the elements as they go round, and then the sums go round. */
    private void allReduce(Pieces p, float factor) throws IOException {
        for (int s = 0; s < ranks - 1; s++) {
            turn(p, rank - s, rank - s - 1, true);
        }
        if (factor != 1) {
            p.scale(begin(p, rank + 1), bytes(p, rank + 1), factor);
        }
        for (int s = 0; s < ranks - 1; s++) {
            turn(p, rank + 1 - s, rank - s, false);
        }
    }

    private void turn(Pieces p, int send, int receive, boolean add) throws IOException {
        transfer(p, begin(p, send), bytes(p, send), begin(p, receive), bytes(p, receive), add);
    }

    /** Where one of the shares begins, of which each rank has one; they are numbered round the ring. */
    private long begin(Pieces p, int share) {
        return 4 * (p.bytes() / 4 * Math.floorMod(share, ranks) / ranks);
    }

    private long bytes(Pieces p, int share) {
        int i = Math.floorMod(share, ranks);
        return 4 * (p.bytes() / 4 * (i + 1) / ranks) - begin(p, i);
    }

    private void broadcast(Pieces p) throws IOException {
        for (long from = 0; from < p.bytes(); from += BUFFER) {
            long bytes = Math.min(BUFFER, p.bytes() - from);
            if (rank > 0) {
                transfer(p, 0, -1, from, bytes, false);
            }
            if (rank < ranks - 1) {
                transfer(p, from, bytes, 0, -1, false);
            }
        }
    }

    /** Sends and receives a message at once; -1 bytes are no message. */
    private void transfer(Pieces p, long sendFrom, long send, long receiveTo, long receive, boolean add) throws IOException {
        long sent = 0;
        long received = 0;
        boolean isHeaderDue = receive >= 0;
        sending.clear();
        if (send >= 0) {
            sending.putLong(exchange).putLong(send);
        }
        sending.flip();
        receiving.clear();
        while (sent < send || sending.hasRemaining() || isHeaderDue || received < receive) {
            if (!sending.hasRemaining() && sent < send) {
                long n = Math.min(BUFFER, send - sent);
                p.copyTo(sendFrom + sent, out, 0, n);
                sending.clear().limit((int) n);
                sent += n;
            }
            boolean moved = sending.hasRemaining() && next.write(sending) > 0;
            if (isHeaderDue || received < receive) {
                long due = isHeaderDue ? HEADER : receive - received;
                receiving.limit((int) Math.min(BUFFER, due));
                int n = previous.read(receiving);
                if (n < 0) {
                    throw new IOException("rank " + Math.floorMod(rank - 1, ranks) + " closed its connection");
                }
                moved |= n > 0;
                if (isHeaderDue && receiving.position() == HEADER) {
                    check(receiving.getLong(0), receiving.getLong(8), receive);
                    isHeaderDue = false;
                    receiving.clear();
                } else if (!isHeaderDue) {
                    received += take(p, receiveTo + received, add);
                }
            }
            if (!moved) {
                rest(sending.hasRemaining(), isHeaderDue || received < receive);
            }
        }
    }

    private void check(long number, long bytes, long expected) {
        if (number != exchange || bytes != expected) {
            throw UserError.other("rank %d is at exchange %d of %d bytes, and rank %d at %d of %d: they do not run the same "
                    + "plan; give all ranks the same program", Math.floorMod(rank - 1, ranks), number, bytes, rank,
                    exchange, expected);
        }
    }

    /** Takes what has come, save a float that is not whole yet. */
    private int take(Pieces p, long to, boolean add) {
        int whole = add ? receiving.position() & -4 : receiving.position();
        if (add) {
            p.add(in, 0, to, whole);
        } else {
            p.copyFrom(in, 0, to, whole);
        }
        int rest = receiving.position() - whole;
        for (int i = 0; i < rest; i++) {
            in.set(ValueLayout.JAVA_BYTE, i, in.get(ValueLayout.JAVA_BYTE, whole + i));
        }
        receiving.clear().position(rest);
        return whole;
    }

    /** Waits until something can be done, or there is a reason to give up. */
    private void rest(boolean send, boolean receive) throws IOException {
        watch.check();
        writable.interestOps(send ? SelectionKey.OP_WRITE : 0);
        readable.interestOps(receive ? SelectionKey.OP_READ : 0);
        selector.select(LOOK_AROUND_MS);
        selector.selectedKeys().clear();
    }

    @Override
    public void close() {
        try (selector; previous; next; arena) {
            sending.clear();
        } catch (IOException e) {
            // They are given up in any case.
            sending.clear();
        }
    }
}
