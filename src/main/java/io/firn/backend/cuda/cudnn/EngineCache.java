package io.firn.backend.cuda.cudnn;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.cuda.cudnn.EngineSearch.Found;
import io.firn.backend.cuda.cudnn.EngineSearch.None;
import io.firn.backend.cuda.cudnn.EngineSearch.Outcome;
import io.firn.files.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what searches came to from one process to the next, a file each: those take seconds. It is only a cache: where it
 * cannot be read cuDNN is asked again, and where it cannot be written the next process asks.
 *
 * @param folder of the files
 * @param scope  what all of them depend on: library versions, the device's properties, whether deterministic
 */
record EngineCache(Path folder, String scope) {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Logger LOG = LoggerFactory.getLogger(EngineCache.class);

    /**
     * A file.
     *
     * @param key    scope and graph in full, since a file's name only has their digest
     * @param engine null where there is none
     * @param plan   serialised, null where there is no engine
     * @param none   why there is no engine, else null
     */
    private record Entry(String key, Engine engine, byte[] plan, String none) {
    }

    /** Where what is asked of one engine is kept; empty for whichever is best. */
    EngineCache of(String choice) {
        return choice.isEmpty() ? this : new EngineCache(folder, scope + ", engine " + choice);
    }

    Optional<Outcome> read(CudnnGraph g) {
        Path file = file(g);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            Entry e = JSON.readValue(file.toFile(), Entry.class);
            if (!key(g).equals(e.key)) {
                return Optional.empty();
            }
            return e.engine != null && e.plan != null ? Optional.of(new Found(e.engine, e.plan))
                    : Optional.ofNullable(e.none).map(reason -> new None(reason, false));
        } catch (IOException e) {
            LOG.debug("the cached engine {} is not read", file, e);
            return Optional.empty();
        }
    }

    /** What is broken may be mended without a new version, and is not kept. */
    void write(CudnnGraph g, Outcome o) {
        Entry e = switch (o) {
            case Found f -> new Entry(key(g), f.engine(), f.plan(), null);
            case None n -> new Entry(key(g), null, null, n.reason());
        };
        if (o instanceof None n && n.broken()) {
            return;
        }
        Path file = file(g);
        try {
            Files.createDirectories(folder);
            AtomicFile.tryWrite(file, JSON.writeValueAsBytes(e));
        } catch (IOException x) {
            LOG.debug("the engine is not cached in {}", file, x);
        }
    }

    private String key(CudnnGraph g) {
        return scope + "\n" + g;
    }

    private Path file(CudnnGraph g) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(key(g).getBytes(StandardCharsets.UTF_8));
            return folder.resolve(HexFormat.of().formatHex(digest, 0, 16) + ".json");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
