package io.firn.backend.cuda.kernels;

import io.firn.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps compiled kernels from one process to the next, a file for each source, architecture and compiler version. It is only
 * a cache: what cannot be read is compiled again, and what cannot be written is not kept.
 */
public final class CubinCache {
    private static final Logger LOG = LoggerFactory.getLogger(CubinCache.class);

    private final Path folder;
    private final KernelCompiler compiler;

    /** @param folder made where it is missing */
    public CubinCache(Path folder, KernelCompiler compiler) {
        this.folder = folder;
        this.compiler = compiler;
    }

    /**
     * The cubins of these sources, each once.
     *
     * @param architecture such as {@code sm_90}
     * @param threads      that compile
     * @return by entry point
     */
    public Map<String, byte[]> cubins(Collection<KernelSource> sources, String architecture, int threads) {
        Map<String, Future<byte[]>> open = new LinkedHashMap<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (KernelSource s : sources) {
                open.computeIfAbsent(s.entry(), e -> pool.submit(() -> cubin(s, architecture)));
            }
            Map<String, byte[]> cubins = new LinkedHashMap<>();
            for (Map.Entry<String, Future<byte[]>> e : open.entrySet()) {
                cubins.put(e.getKey(), e.getValue().get());
            }
            return cubins;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException r ? r : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while kernels were compiled", e);
        }
    }

    private byte[] cubin(KernelSource source, String architecture) {
        Path file = folder.resolve("%s-%s-%s.cubin".formatted(source.entry(), architecture, compiler.version()));
        if (Files.isRegularFile(file)) {
            try {
                byte[] kept = Files.readAllBytes(file);
                if (kept.length > 0) {
                    return kept;
                }
            } catch (IOException e) {
                LOG.debug("{} is not read", file, e);
            }
        }
        byte[] cubin = compiler.compile(source, architecture);
        try {
            Files.createDirectories(folder);
            // Others may read or write it meanwhile.
            AtomicFile.tryWrite(file, cubin);
        } catch (IOException e) {
            LOG.debug("{} is not written", file, e);
        }
        return cubin;
    }
}
