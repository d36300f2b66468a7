package io.firn.train;

import com.sun.management.OperatingSystemMXBean;
import io.firn.data.Augment;
import io.firn.data.Batch;
import io.firn.data.Batches;
import io.firn.data.DamagedImage;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Loader;
import io.firn.data.LoaderOptions;
import io.firn.error.UserError;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Times how fast images become batches, without a network, and says whether a network would have to wait for them. */
public final class InputBench {
    private final Request request;
    private final Dataset set;
    private final OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    /**
     * What to time.
     *
     * @param data    a path or a built-in name
     * @param resize  see {@link LoaderOptions}
     * @param seconds that each stage is timed for, after as long again for warming up, up to 3 s
     * @param model   the step to compare with; empty for none
     */
    public record Request(String data, int batch, int resolution, int resize, Augment augment, int workers, double seconds,
                          Optional<Bench.Request> model) {
        public Request {
            Range.atLeast("batch", batch, 1);
            Range.atLeast("workers", workers, 1);
            Range.positive("seconds", seconds);
        }
    }

    private InputBench(Request request, Dataset set) {
        this.request = request;
        this.set = set;
    }

    /**
     * Times both stages, and then the model.
     *
     * @throws UserError where the data cannot be read, and as {@link Bench#run}
     */
    public static InputReport run(Request request, Devices devices) {
        return new InputBench(request, Datasets.open(request.data()).train()).run(devices);
    }

    private InputReport run(Devices devices) {
        List<InputReport.Stage> stages = List.of(timed("decode", this::decode),
                timed("decode+resize+augment", this::load));
        Optional<InputReport.Model> model = request.model().map(m -> Bench.run(m, devices))
                .map(r -> new InputReport.Model(r.model(), r.mode(), r.device(), r.precision(), r.threads(),
                        r.imagesPerS().median()));
        Optional<String> limit = model.map(m -> m.imagesPerS() > stages.getLast().imagesPerS() ? "input" : "model");
        return new InputReport(set.name(), set.size(), request.batch(), request.resolution(), request.resize(),
                request.augment().name().toLowerCase(Locale.ROOT), request.workers(), stages, model, limit);
    }

    /** Goes on until a moment of {@link System#nanoTime} and returns how many images it did. */
    private interface Work {
        int until(long end);
    }

    private InputReport.Stage timed(String name, Work work) {
        work.until(System.nanoTime() + nanos(Math.min(3, request.seconds())));
        long cpu = system.getProcessCpuTime();
        long start = System.nanoTime();
        int images = work.until(start + nanos(request.seconds()));
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;
        return new InputReport.Stage(name, images, images / seconds, images / seconds / request.workers(),
                images / cpuSeconds);
    }

    private static long nanos(double seconds) {
        return (long) (1e9 * seconds);
    }

    private int decode(long end) {
        AtomicInteger next = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        Runnable worker = () -> {
            while (System.nanoTime() < end) {
                try {
                    set.image(next.getAndIncrement() % set.size());
                    done.incrementAndGet();
                } catch (DamagedImage e) {
                    throw UserError.data("%s: only sound sets can be timed: firn data verify lists what is damaged",
                            e.getMessage());
                }
            }
        };
        try (ExecutorService pool = Executors.newFixedThreadPool(request.workers())) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < request.workers(); i++) {
                running.add(pool.submit(worker));
            }
            for (Future<?> each : running) {
                each.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw UserError.other("interrupted while decoding %s", set.name()).causedBy(e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof UserError known ? known : new IllegalStateException(e.getCause());
        }
        return done.get();
    }

    private int load(long end) {
        int batch = Math.min(request.batch(), set.size());
        LoaderOptions options = new LoaderOptions(batch, request.resolution(), request.resolution(), set.channels(),
                request.augment(), request.resize(), true, 0, request.workers(), true);
        int images = 0;
        try (Loader loader = new Loader(set, options, _ -> { })) {
            for (int epoch = 0; System.nanoTime() < end; epoch++) {
                try (Batches batches = loader.epoch(epoch, 0)) {
                    while (batches.hasNext() && System.nanoTime() < end) {
                        try (Batch b = batches.next()) {
                            images += b.count();
                        }
                    }
                }
            }
        }
        return images;
    }
}
