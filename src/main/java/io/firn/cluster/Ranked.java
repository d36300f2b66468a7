package io.firn.cluster;

import io.firn.backend.cuda.CudaDriver;
import io.firn.error.UserError;
import io.firn.train.Config;
import io.firn.train.Devices;
import io.firn.train.Run;
import io.firn.train.RunSummary;
import io.firn.train.TrainOptions;
import io.firn.train.TrainRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains on as many ranks as there are: this process alone, ranks in threads of it ({@code --ranks N},
 * {@code --device cuda:0,1}), or one of several processes that Slurm or torchrun has started.
 */
public final class Ranked {
    private static final Pattern DEVICES = Pattern.compile("cuda:(\\d+(?:,\\d+)+)");

    private static final Pattern ONE_GPU = Pattern.compile("cuda:\\d+");

    private static final Logger LOG = LoggerFactory.getLogger(Ranked.class);

    private Ranked() {
    }

    /** What decides how ranks wait for each other, and how many there are. */
    private record Asked(Integer ranks, Integer rankTimeout, String device) {
        private List<String> devices() {
            return device == null ? List.of() : Ranked.devices(device);
        }

        /** Two ranks on one GPU cannot exchange anything. */
        private void checkDevices(int ranks) {
            List<String> list = devices();
            if (list.stream().distinct().count() < list.size() || ranks > 1 && device != null && ONE_GPU.matcher(device).matches()) {
                throw UserError.usage("--device %s for %d ranks: each needs a GPU of its own, such as --device cuda:0,1", device,
                        ranks);
            }
        }

        private Limits limits() {
            return Limits.of(rankTimeout == null ? 60 : rankTimeout);
        }
    }

    /**
     * Trains.
     *
     * @param env the process's environment, by which it may know itself to be one of several
     * @throws UserError as {@link Run#train}
     */
    public static RunSummary train(TrainRequest request, Map<String, String> env) {
        Asked asked = known(request).bind(Asked.class);
        Optional<Place> place = Place.of(env);
        if (place.isPresent()) {
            int ranks = place.get().ranks();
            if (asked.ranks() != null && asked.ranks() != ranks && request.asked().has("ranks")) {
                throw UserError.usage("--ranks %d, but Slurm or torchrun has started %d; leave --ranks out", asked.ranks(), ranks);
            }
            int gpu = gpu(place.get());
            try (TcpTeam team = TcpTeam.join(place.get(), asked.limits())) {
                TrainRequest r = with(request, ranks, request.asked(), device -> Devices.ofRank(device, gpu));
                return Run.train(place.get().rank() == 0 ? r : quiet(r, request.signals()), team);
            }
        }
        int ranks = asked.devices().isEmpty() ? asked.ranks() == null ? 1 : asked.ranks() : asked.devices().size();
        if (!asked.devices().isEmpty() && asked.ranks() != null && asked.ranks() != ranks) {
            throw UserError.usage("--ranks %d with --device %s: a rank a device; leave --ranks out", asked.ranks(), asked.device());
        }
        asked.checkDevices(ranks);
        return ranks == 1 ? Run.train(request) : threads(request, asked, ranks);
    }

    /** What was asked for, over what the run was begun with. */
    private static Config known(TrainRequest request) {
        return request.output().filter(_ -> request.resume()).map(run -> run.resolve("config.toml"))
                .filter(Files::isRegularFile)
                .map(file -> request.asked().over(TrainOptions.read(file))).orElse(request.asked());
    }

    private static RunSummary threads(TrainRequest request, Asked asked, int ranks) {
        if (ranks < 1 || ranks > 4 * Runtime.getRuntime().availableProcessors() && asked.devices().isEmpty()) {
            throw UserError.usage("--ranks %d: this machine has %d processors", ranks, Runtime.getRuntime().availableProcessors());
        }
        Config own = request.asked().has("threads") ? request.asked() : request.asked().with("threads",
                Math.max(1, Runtime.getRuntime().availableProcessors() / ranks));
        List<Thread> others = new ArrayList<>();
        try (ServerSocket door = new ServerSocket(0, ranks, InetAddress.getLoopbackAddress())) {
            for (int r = 1; r < ranks; r++) {
                Place place = new Place(r, ranks, r, "127.0.0.1", door.getLocalPort(), "threads");
                TrainRequest follower = quiet(with(request, ranks, own, device -> device(device, place.rank())), false);
                others.add(Thread.ofPlatform().daemon().name("firn-rank-" + r).start(() -> {
                    try (TcpTeam team = TcpTeam.join(place, asked.limits())) {
                        Run.train(follower, team);
                    } catch (UserError e) {
                        // Rank 0 has been told by then, and says it.
                        LOG.debug("rank {} ended", place.rank(), e);
                    }
                }));
            }
            Place first = new Place(0, ranks, 0, "127.0.0.1", door.getLocalPort(), "threads");
            try (TcpTeam team = TcpTeam.lead(first, asked.limits(), door)) {
                return Run.train(with(request, ranks, own, device -> device(device, 0)), team);
            }
        } catch (IOException e) {
            throw UserError.other("the ranks cannot meet: %s", e.getMessage()).causedBy(e);
        } finally {
            others.forEach(Ranked::join);
        }
    }

    private static void join(Thread t) {
        try {
            t.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The devices of a list; empty where it is none. */
    private static List<String> devices(String device) {
        var m = DEVICES.matcher(device);
        return m.matches() ? Arrays.stream(m.group(1).split(",")).map(n -> "cuda:" + n).toList() : List.of();
    }

    /** What a rank in a thread computes on. */
    private static String device(String device, int rank) {
        List<String> list = devices(device);
        return list.isEmpty() ? Devices.ofRank(device, rank) : list.get(rank);
    }

    /** Slurm may show each rank the GPU that is its own and no other; elsewhere each takes its own among the machine's. */
    private static int gpu(Place place) {
        return CudaDriver.probe().gpus().size() == 1 ? 0 : place.local();
    }

    /** @param own the rank's own device, of the one or the list that is asked for */
    private static TrainRequest with(TrainRequest r, int ranks, Config asked, UnaryOperator<String> own) {
        Devices devices = (device, threads) -> r.devices().open(own.apply(device), threads);
        return new TrainRequest(asked.with("ranks", ranks), r.output(), r.resume(), r.signals(), devices, r.log(),
                r.command(), r.view());
    }

    /** Rank 0 speaks for all. */
    private static TrainRequest quiet(TrainRequest r, boolean signals) {
        return new TrainRequest(r.asked(), r.output(), r.resume(), signals, r.devices(),
                new PrintStream(OutputStream.nullOutputStream()), r.command(), Optional.empty());
    }
}
