package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.Backend;
import io.firn.backend.Tuned;
import io.firn.data.CacheFolder;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.plan.PlanRequest;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps measured choices from one process to the next, in the user's cache: a file for each device, number of threads and
 * version of the libraries. It is only a cache: where it cannot be read, choices are measured again, and where it cannot
 * be written, the next process does so.
 */
final class TuningCache {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Logger LOG = LoggerFactory.getLogger(TuningCache.class);

    private TuningCache() {
    }

    /**
     * Plans with measured choices, of which those that an earlier process made are taken over.
     *
     * @param measure asked before anything is measured, with the program by what is known: whether to
     */
    static Tuned tuned(Backend backend, List<PlanRequest> requests, Predicate<Program> measure) {
        Path file = file(backend);
        TuningTable known = read(file);
        Tuned tuned = backend.tune(requests, known, measure);
        SortedMap<String, String> lasting = new TreeMap<>(tuned.table().choices());
        // Which layout won is kept by plan; under the bare key it is these plans' alone.
        lasting.remove(TuningTable.LAYOUT);
        TuningTable all = known.with(lasting);
        if (!all.equals(known)) {
            write(file, all);
        }
        return tuned;
    }

    private static Path file(Backend backend) {
        Target t = backend.target();
        String name = "%s-%s-%s".formatted(t.name(), t.device().describe(),
                backend.kernels(TuningTable.EMPTY).versions()).toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9.]+", "-");
        return CacheFolder.of("tuning").resolve(name + ".json");
    }

    private static TuningTable read(Path file) {
        if (!Files.isRegularFile(file)) {
            return TuningTable.EMPTY;
        }
        try {
            return new TuningTable(JSON.readValue(file.toFile(), new TypeReference<TreeMap<String, String>>() {
            }));
        } catch (IOException e) {
            LOG.debug("the tuning cache is not read", e);
            return TuningTable.EMPTY;
        }
    }

    private static void write(Path file, TuningTable table) {
        try {
            Files.createDirectories(file.getParent());
            AtomicFile.write(file, JSON.writeValueAsBytes(table.choices()));
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        } catch (IOException | UserError e) {
            LOG.debug("the tuning cache is not written", e);
        }
    }
}
