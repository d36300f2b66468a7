package io.firn.cluster;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Ranks in threads of the test. */
public final class Teams {
    static final Limits QUICK = new Limits(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofSeconds(60));

    private Teams() {
    }

    /** What one rank does. */
    @FunctionalInterface
    public interface Work<T> {
        T of(TcpTeam team) throws Exception;
    }

    /** Runs the ranks beside each other; what each came to, a failure included, by rank. */
    public static <T> List<Future<T>> run(int ranks, Limits limits, Work<T> work) throws IOException, InterruptedException {
        List<Future<T>> futures = new ArrayList<>();
        try (ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
             ExecutorService threads = Executors.newCachedThreadPool()) {
            for (int r = 0; r < ranks; r++) {
                Place place = new Place(r, ranks, r, "127.0.0.1", door.getLocalPort(), "test");
                futures.add(threads.submit(() -> {
                    try (TcpTeam team = place.rank() == 0 ? TcpTeam.lead(place, limits, door) : TcpTeam.join(place, limits)) {
                        return work.of(team);
                    }
                }));
            }
        }
        return futures;
    }

    /** What all ranks came to. */
    static <T> List<T> all(int ranks, Work<T> work) throws IOException, InterruptedException, ExecutionException {
        List<T> results = new ArrayList<>();
        for (Future<T> f : run(ranks, QUICK, work)) {
            results.add(f.get());
        }
        return results;
    }
}
