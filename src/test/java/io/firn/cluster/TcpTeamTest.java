package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks over TCP: what they exchange, and that whatever happens to one of them ends all with its name. */
class TcpTeamTest {
    private static final Limits IMPATIENT = new Limits(Duration.ofSeconds(2), Duration.ofMillis(500), Duration.ofMillis(1500));

    /** Pieces of odd sizes, none and single floats among them. */
    private static List<MemorySegment> pieces(Arena arena, Random random, int... sizes) {
        List<MemorySegment> pieces = new ArrayList<>();
        for (int size : sizes) {
            MemorySegment m = arena.allocate(Math.max(1, 4L * size), 64).asSlice(0, 4L * size);
            for (int i = 0; i < size; i++) {
                m.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
            }
            pieces.add(m);
        }
        return pieces;
    }

    private static float[] floats(List<MemorySegment> pieces) {
        int n = (int) (pieces.stream().mapToLong(MemorySegment::byteSize).sum() / 4);
        float[] all = new float[n];
        int at = 0;
        for (MemorySegment m : pieces) {
            float[] f = m.toArray(ValueLayout.JAVA_FLOAT);
            System.arraycopy(f, 0, all, at, f.length);
            at += f.length;
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 5})
    void allReduceGivesEveryRankTheSameSums(int ranks) throws Exception {
        int[][] shapes = {{1}, {2, 0, 1}, {300_001, 7, 50_000}};
        List<List<float[]>> results = Teams.all(ranks, team -> {
            List<float[]> mine = new ArrayList<>();
            try (Arena arena = Arena.ofShared()) {
                for (int round = 0; round < 2; round++) {
                    for (int[] shape : shapes) {
                        List<MemorySegment> p = pieces(arena, new Random(team.rank()), shape);
                        team.collectives().allReduce(p, 0.5f).run();
                        mine.add(floats(p));
                    }
                }
            }
            return mine;
        });
        for (int k = 0; k < shapes.length; k++) {
            double[] expected = null;
            try (Arena arena = Arena.ofConfined()) {
                for (int r = 0; r < ranks; r++) {
                    float[] x = floats(pieces(arena, new Random(r), shapes[k]));
                    expected = expected == null ? new double[x.length] : expected;
                    for (int i = 0; i < x.length; i++) {
                        expected[i] += 0.5 * x[i];
                    }
                }
            }
            for (List<float[]> rank : results) {
                assertThat(rank.get(k)).as("the same bits on every rank and in every round")
                        .isEqualTo(results.getFirst().get(k)).isEqualTo(rank.get(k + shapes.length));
                for (int i = 0; i < expected.length; i++) {
                    assertThat((double) rank.get(k)[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-6));
                }
            }
        }
    }

    @Test
    void rankZeroIsHeardByAll() throws Exception {
        byte[] message = new byte[700_001];
        new Random(1).nextBytes(message);
        for (byte[] heard : Teams.all(3, team -> team.share(team.leads() ? message : new byte[] {1}))) {
            assertThat(heard).isEqualTo(message);
        }
        for (byte[] heard : Teams.all(2, team -> team.share(new byte[0]))) {
            assertThat(heard).isEmpty();
        }
    }

    private static void exchange(TcpTeam team) {
        try (Arena arena = Arena.ofShared()) {
            team.collectives().allReduce(pieces(arena, new Random(0), 1000), 1).run();
        }
    }

    private static String failure(Future<?> rank) {
        try {
            rank.get();
        } catch (ExecutionException e) {
            assertThat(e.getCause()).isInstanceOf(UserError.class);
            return e.getCause().getMessage();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        throw new AssertionError("it did not fail");
    }

    @Test
    void whoFailsIsNamedOnEveryRank() throws Exception {
        List<Future<Void>> ranks = Teams.run(3, IMPATIENT, team -> {
            team.busy(false);
            exchange(team);
            if (team.rank() == 2) {
                team.leave(UserError.Kind.DATA, "its disk is on fire");
                return null;
            }
            exchange(team);
            return null;
        });
        for (int r = 0; r < 2; r++) {
            assertThat(failure(ranks.get(r))).startsWith("rank 2 (").contains(", process ").endsWith("): its disk is on fire");
        }
        ranks.get(2).get();
    }

    @Test
    void aFailureOfRankZeroKeepsItsKind() throws Exception {
        List<Future<Void>> ranks = Teams.run(2, IMPATIENT, team -> {
            if (team.leads()) {
                team.leave(UserError.Kind.STOPPED, "a signal");
                return null;
            }
            exchange(team);
            return null;
        });
        assertThatThrownBy(ranks.get(1)::get).cause().isInstanceOfSatisfying(UserError.class, e -> {
            assertThat(e.kind()).isEqualTo(UserError.Kind.STOPPED);
            assertThat(e).hasMessage("a signal");
        });
    }

    /** It gives signs of life, but does not come. */
    @Test
    void whoHangsIsNamed() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        List<Future<Void>> ranks = Teams.run(3, IMPATIENT, team -> {
            team.busy(false);
            exchange(team);
            if (team.rank() == 1) {
                over.await();
                return null;
            }
            try {
                exchange(team);
            } finally {
                over.countDown();
            }
            return null;
        });
        assertThat(failure(ranks.get(0))).startsWith("rank 1 (").contains("hangs: it has not come to exchange 2 for 1 s");
    }

    /** While a rank says that it is at something long, the others wait. */
    @Test
    void whoIsBusyIsWaitedFor() throws Exception {
        List<Future<Void>> ranks = Teams.run(2, IMPATIENT, team -> {
            team.busy(team.rank() == 0);
            if (team.leads()) {
                Thread.sleep(IMPATIENT.stall().toMillis() + 700);
            }
            exchange(team);
            return null;
        });
        for (Future<Void> f : ranks) {
            f.get();
        }
    }

    /** A process that is stopped, or a machine that is gone, closes no connection. */
    @Test
    void whoIsSilentIsNamed() throws Exception {
        try (ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
             ServerSocket ring = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread mute = Thread.ofVirtual().start(() -> {
                try (Socket s = new Socket("127.0.0.1", door.getLocalPort())) {
                    new Line.Hello("test", 1, 2, ring.getLocalPort(), "elsewhere, process 7").write(s.getOutputStream());
                    var w = (Line.Welcome) Line.read(s.getInputStream());
                    try (Socket next = new Socket("127.0.0.1", w.addresses().getFirst().port()); Socket before = ring.accept()) {
                        next.getOutputStream().write(new byte[] {0, 0, 0, 1});
                        // It reads what comes, and says nothing.
                        s.getInputStream().transferTo(java.io.OutputStream.nullOutputStream());
                        before.shutdownInput();
                    }
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            try (TcpTeam team = TcpTeam.lead(new Place(0, 2, 0, "127.0.0.1", door.getLocalPort(), "test"), IMPATIENT, door)) {
                assertThatThrownBy(() -> exchange(team)).isInstanceOf(UserError.class)
                        .hasMessageStartingWith("rank 1 (elsewhere, process 7) has given no sign of life");
            }
            mute.join();
        }
    }

    @Test
    void whoDoesNotComeIsNamed() throws Exception {
        try (ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            // A stranger's connection counts for nothing.
            try (Socket stranger = new Socket("127.0.0.1", door.getLocalPort())) {
                stranger.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                assertThatThrownBy(() -> TcpTeam.lead(new Place(0, 3, 0, "127.0.0.1", door.getLocalPort(), "test"), IMPATIENT, door))
                        .isInstanceOf(UserError.class)
                        .hasMessage("2 of 3 ranks did not come within 2 s: [1, 2]; see to their logs");
            }
        }
        int port;
        try (ServerSocket unused = new ServerSocket(0)) {
            port = unused.getLocalPort();
        }
        assertThatThrownBy(() -> TcpTeam.join(new Place(1, 2, 1, "127.0.0.1", port, "test"), IMPATIENT))
                .isInstanceOf(UserError.class).hasMessageStartingWith("rank 1: rank 0 did not answer at 127.0.0.1:" + port);
    }

    @Test
    void ranksOfAnotherJobAreSentAway() throws Exception {
        Thread lead;
        try (ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Place zero = new Place(0, 2, 0, "127.0.0.1", door.getLocalPort(), "one");
            lead = Thread.ofPlatform().start(() -> assertThatThrownBy(() -> TcpTeam.lead(zero, Teams.QUICK, door)));
            assertThatThrownBy(() -> TcpTeam.join(new Place(1, 2, 1, "127.0.0.1", door.getLocalPort(), "other"), Teams.QUICK))
                    .hasMessageContaining("sent rank 1 away");
        }
        lead.join();
    }

    @Test
    void otherPlansAreNoticed() throws Exception {
        List<Future<Void>> ranks = Teams.run(2, IMPATIENT, team -> {
            try (Arena arena = Arena.ofShared()) {
                team.collectives().allReduce(pieces(arena, new Random(0), 100 + 2 * team.rank()), 1).run();
            } catch (UserError e) {
                team.leave(e.kind(), e.getMessage());
                throw e;
            }
            return null;
        });
        assertThat(failure(ranks.get(0)) + failure(ranks.get(1))).contains("they do not run the same plan");
    }
}
