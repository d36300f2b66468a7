package io.firn.backend.cuda.cudnn;

import io.firn.backend.cuda.cudnn.EngineSearch.Found;
import io.firn.backend.cuda.cudnn.EngineSearch.None;
import io.firn.backend.cuda.cudnn.EngineSearch.Outcome;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** cuDNN's engines, as cuDNN itself finds them for a device that need not be present. The library is loaded before. */
public final class LibraryEngines implements Engines {
    private static final Logger LOG = LoggerFactory.getLogger(LibraryEngines.class);

    private final EngineSearch search;
    private final EngineCache cache;
    private final String versions;
    private final Map<Asked, Lookup> known = new ConcurrentHashMap<>();

    /** @param choice of an engine; empty for cuDNN's best */
    private record Asked(CudnnGraph graph, String choice) {
    }

    /**
     * @param device        the GPU's properties as JSON
     * @param deterministic whether only engines will do that always give the same bits
     * @param versions      of cuDNN and of what compiles its kernels
     * @param cache         folder for what was found
     */
    public LibraryEngines(String device, boolean deterministic, String versions, Path cache) {
        this.versions = versions;
        search = new EngineSearch(device, deterministic);
        this.cache = new EngineCache(cache, "%s, deterministic %s, %s".formatted(versions, deterministic, device));
    }

    /** One search, made once however many ask. */
    private final class Lookup {
        private final Asked asked;
        private Outcome outcome;

        private Lookup(Asked asked) {
            this.asked = asked;
        }

        synchronized Outcome outcome() {
            if (outcome == null) {
                EngineCache kept = cache.of(asked.choice);
                outcome = kept.read(asked.graph).orElseGet(() -> {
                    Outcome found = asked.choice.isEmpty() ? search.search(asked.graph)
                            : search.search(asked.graph, e -> e.choice().equals(asked.choice));
                    if (found instanceof None n && n.broken()) {
                        LOG.warn("cuDNN offers an engine and fails to build it: {}", n.reason());
                    }
                    kept.write(asked.graph, found);
                    return found;
                });
            }
            return outcome;
        }
    }

    private Outcome outcome(CudnnGraph g) {
        return outcome(g, "");
    }

    private Outcome outcome(CudnnGraph g, String choice) {
        return known.computeIfAbsent(new Asked(g, choice), Lookup::new).outcome();
    }

    /** Compiles each: what it finds is kept, so that the one that is chosen is restored. */
    @Override
    public List<Engine> ranked(CudnnGraph g, int most) {
        List<Found> all = search.all(g, most);
        all.forEach(f -> cache.of(f.engine().choice()).write(g, f));
        return all.stream().map(Found::engine).toList();
    }

    @Override
    public Optional<Engine> engine(CudnnGraph g, String choice) {
        return outcome(g, choice) instanceof Found f ? Optional.of(f.engine()) : Optional.empty();
    }

    @Override
    public Optional<byte[]> plan(CudnnGraph g, String choice) {
        return outcome(g, choice) instanceof Found f ? Optional.of(f.plan()) : Optional.empty();
    }

    @Override
    public Optional<Engine> engine(CudnnGraph g) {
        return switch (outcome(g)) {
            case Found f -> Optional.of(f.engine());
            case None n -> Optional.empty();
        };
    }

    @Override
    public String refusal(CudnnGraph g) {
        return switch (outcome(g)) {
            case Found f -> "";
            case None n -> n.reason();
        };
    }

    @Override
    public Optional<byte[]> plan(CudnnGraph g) {
        return switch (outcome(g)) {
            case Found f -> Optional.of(f.plan());
            case None n -> Optional.empty();
        };
    }

    /** cuDNN compiles on the calling thread, so that as many threads as cores finish sooner. */
    @Override
    public void prepare(Collection<CudnnGraph> graphs) {
        List<Callable<Outcome>> tasks = new HashSet<>(graphs).stream().<Callable<Outcome>>map(g -> () -> outcome(g)).toList();
        try (ExecutorService threads = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
            for (Future<Outcome> f : threads.invokeAll(tasks)) {
                f.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while cuDNN's engines were looked up", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException r ? r : new IllegalStateException(e.getCause());
        }
    }

    @Override
    public String versions() {
        return versions;
    }
}
