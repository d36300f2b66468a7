package io.firn.cluster;

import io.firn.backend.Collectives;
import io.firn.error.UserError;
import io.firn.train.Team;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Ranks that meet at rank 0 and then exchange over TCP: data in a {@link Ring}, signs of life and reasons to end with rank
 * 0 ({@link Control}).
 */
public final class TcpTeam implements Team {
    private static final int RETRY_MS = 100;
    /** A whole job's connections may come at once. */
    private static final int BACKLOG = 1024;

    private final Control control;
    private final Ring ring;

    private TcpTeam(Control control, Ring ring) {
        this.control = control;
        this.ring = ring;
    }

    /**
     * Meets the others.
     *
     * @throws UserError where not all come in time, naming those who are missing
     */
    public static TcpTeam join(Place place, Limits limits) {
        try {
            if (place.rank() > 0) {
                return new Meeting(place, limits).come();
            }
            try (ServerSocket door = new ServerSocket()) {
                door.setReuseAddress(true);
                try {
                    door.bind(new InetSocketAddress(place.port()), BACKLOG);
                } catch (IOException e) {
                    throw UserError.other("rank 0 cannot await the others at port %d: %s; set another MASTER_PORT",
                            place.port(), e.getMessage()).causedBy(e);
                }
                return lead(place, limits, door);
            }
        } catch (IOException e) {
            throw UserError.other("rank %d cannot join the others: %s", place.rank(), e.getMessage()).causedBy(e);
        }
    }

    /** Rank 0's way, at a port that is bound already. */
    static TcpTeam lead(Place place, Limits limits, ServerSocket door) throws IOException {
        return new Meeting(place, limits).lead(door);
    }

    /** How the ranks find each other, once. */
    private record Meeting(Place place, Limits limits, long untilNs) {
        Meeting(Place place, Limits limits) {
            this(place, limits, System.nanoTime() + limits.meet().toNanos());
        }

        private int left() {
            return (int) Math.clamp((untilNs - System.nanoTime()) / 1_000_000, 1, Integer.MAX_VALUE);
        }

        private boolean isOver() {
            return System.nanoTime() >= untilNs;
        }

        private TcpTeam lead(ServerSocket door) throws IOException {
            Map<Integer, Socket> sockets = new HashMap<>();
            Map<Integer, Line.Hello> hellos = new HashMap<>();
            try (ServerSocketChannel own = open()) {
                while (hellos.size() < place.ranks() - 1) {
                    welcome(door, sockets, hellos);
                }
                List<Line.Address> addresses = new ArrayList<>(List.of(new Line.Address("", port(own))));
                Map<Peer, Socket> peers = new LinkedHashMap<>();
                for (int r = 1; r < place.ranks(); r++) {
                    InetAddress at = sockets.get(r).getInetAddress();
                    addresses.add(new Line.Address(at.isLoopbackAddress() ? "" : at.getHostAddress(), hellos.get(r).port()));
                    peers.put(new Peer(r, hellos.get(r).who()), sockets.get(r));
                }
                for (Socket s : sockets.values()) {
                    new Line.Welcome(addresses).write(s.getOutputStream());
                }
                return team(own, addresses, peers);
            } catch (IOException | RuntimeException e) {
                closeAll(sockets.values());
                throw e;
            }
        }

        /** Lets one rank in; who is none of this job's is sent away. */
        private void welcome(ServerSocket door, Map<Integer, Socket> sockets, Map<Integer, Line.Hello> hellos)
                throws IOException {
            door.setSoTimeout(left());
            Socket s;
            try {
                if (isOver()) {
                    throw new SocketTimeoutException();
                }
                s = door.accept();
            } catch (SocketTimeoutException e) {
                List<Integer> missing = IntStream.range(1, place.ranks()).boxed().filter(r -> !hellos.containsKey(r)).toList();
                throw UserError.other("%d of %d ranks did not come within %d s: %s; see to their logs", missing.size(),
                        place.ranks(), limits.meet().toSeconds(), missing.subList(0, Math.min(8, missing.size())));
            }
            try {
                s.setSoTimeout((int) Math.min(left(), 5000));
                s.setTcpNoDelay(true);
                boolean isOurs = Line.read(s.getInputStream()) instanceof Line.Hello h && h.job().equals(place.job())
                        && h.ranks() == place.ranks() && h.rank() > 0 && h.rank() < place.ranks()
                        && hellos.putIfAbsent(h.rank(), h) == null && sockets.put(h.rank(), s) == null;
                if (isOurs) {
                    s.setSoTimeout(0);
                    return;
                }
            } catch (IOException e) {
                // Whoever it was, rank 0 goes on waiting for its own.
            }
            s.close();
        }

        private TcpTeam come() throws IOException {
            Socket s = connect();
            try (ServerSocketChannel own = open()) {
                s.setTcpNoDelay(true);
                new Line.Hello(place.job(), place.rank(), place.ranks(), port(own), who()).write(s.getOutputStream());
                s.setSoTimeout(left());
                InputStream in = s.getInputStream();
                if (!(Line.read(in) instanceof Line.Welcome w) || w.addresses().size() != place.ranks()) {
                    throw UserError.other("rank 0 at %s:%d sent rank %d away: it belongs to another job, or has another "
                            + "number of ranks; start all with the same command", place.host(), place.port(), place.rank());
                }
                s.setSoTimeout(0);
                return team(own, w.addresses(), Map.of(new Peer(0, place.host()), s));
            } catch (SocketTimeoutException e) {
                s.close();
                throw UserError.other("rank %d: rank 0 at %s:%d waits for other ranks for more than %d s", place.rank(),
                        place.host(), place.port(), limits.meet().toSeconds()).causedBy(e);
            } catch (IOException | RuntimeException e) {
                s.close();
                throw e;
            }
        }

        private Socket connect() throws IOException {
            while (true) {
                Socket s = new Socket();
                try {
                    var address = new InetSocketAddress(place.host(), place.port());
                    if (address.isUnresolved()) {
                        throw new UnknownHostException("there is no such host");
                    }
                    s.connect(address, left());
                    return s;
                } catch (IOException e) {
                    s.close();
                    if (isOver()) {
                        throw UserError.other("rank %d: rank 0 did not answer at %s:%d within %d s (%s); see to its log",
                                place.rank(), place.host(), place.port(), limits.meet().toSeconds(), e.getMessage()).causedBy(e);
                    }
                    rest();
                }
            }
        }

        private static void rest() {
            try {
                Thread.sleep(RETRY_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private static ServerSocketChannel open() throws IOException {
            return ServerSocketChannel.open().bind(new InetSocketAddress(0));
        }

        private static int port(ServerSocketChannel c) throws IOException {
            return ((InetSocketAddress) c.getLocalAddress()).getPort();
        }

        private String who() throws IOException {
            return "%s, process %d".formatted(InetAddress.getLocalHost().getHostName(), ProcessHandle.current().pid());
        }

        /** Closes the ring: connects to the next rank, and waits for the one before. */
        private TcpTeam team(ServerSocketChannel own, List<Line.Address> addresses, Map<Peer, Socket> peers)
                throws IOException {
            Line.Address a = addresses.get((place.rank() + 1) % place.ranks());
            String host = !a.host().isEmpty() ? a.host() : place.rank() == 0 ? "127.0.0.1" : place.host();
            SocketChannel next = SocketChannel.open();
            SocketChannel previous = null;
            try {
                next.socket().connect(new InetSocketAddress(host, a.port()), left());
                next.socket().setTcpNoDelay(true);
                next.write(ByteBuffer.allocate(4).putInt(place.rank()).flip());
                previous = await(own);
                Control control = new Control(place.rank(), limits, peers);
                return new TcpTeam(control, new Ring(place.rank(), place.ranks(), previous, next, control));
            } catch (IOException | RuntimeException e) {
                next.close();
                if (previous != null) {
                    previous.close();
                }
                throw e;
            }
        }

        private SocketChannel await(ServerSocketChannel own) throws IOException {
            while (true) {
                own.socket().setSoTimeout(left());
                Socket s;
                try {
                    s = own.socket().accept();
                } catch (SocketTimeoutException e) {
                    throw UserError.other("rank %d did not connect to rank %d within %d s: see to the network between them",
                            Math.floorMod(place.rank() - 1, place.ranks()), place.rank(), limits.meet().toSeconds()).causedBy(e);
                }
                s.setSoTimeout(5000);
                ByteBuffer number = ByteBuffer.wrap(s.getInputStream().readNBytes(4));
                if (number.remaining() == 4 && number.getInt() == Math.floorMod(place.rank() - 1, place.ranks())) {
                    s.setSoTimeout(0);
                    s.setTcpNoDelay(true);
                    return s.getChannel();
                }
                s.close();
            }
        }

        private static void closeAll(Iterable<Socket> sockets) {
            for (Socket s : sockets) {
                try {
                    s.close();
                } catch (IOException e) {
                    // Given up in any case.
                    continue;
                }
            }
        }
    }

    @Override
    public Collectives collectives() {
        return ring;
    }

    @Override
    public byte[] share(byte[] message) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment size = arena.allocate(8, 8);
            size.set(ValueLayout.JAVA_LONG, 0, message.length);
            ring.broadcast(List.of(size)).run();
            MemorySegment bytes = arena.allocate(Math.max(1, size.get(ValueLayout.JAVA_LONG, 0)));
            MemorySegment.copy(message, 0, bytes, ValueLayout.JAVA_BYTE, 0, leads() ? message.length : 0);
            ring.broadcast(List.of(bytes)).run();
            return Arrays.copyOf(bytes.toArray(ValueLayout.JAVA_BYTE), (int) size.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    @Override
    public void busy(boolean isBusy) {
        control.busy(isBusy);
    }

    @Override
    public void leave(UserError.Kind kind, String why) {
        control.leave(kind, why);
    }

    @Override
    public void close() {
        control.close();
        ring.close();
    }
}
