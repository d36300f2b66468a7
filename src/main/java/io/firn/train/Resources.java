package io.firn.train;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.report.EventFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.LongSupplier;

/**
 * Writes {@code resources.jsonl}: every two seconds a line about what steps took of the machine. It is apart from the
 * metrics, which are the same in every run of the same options.
 */
final class Resources {
    private static final long INTERVAL_NS = 2_000_000_000L;
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

    /**
     * A line.
     *
     * @param step          steps done
     * @param seconds       that the steps since the last line took
     * @param imagesPerS    of those steps
     * @param inputWait     share of those seconds in which the loop waited for images
     * @param residentBytes of the process
     */
    @JsonPropertyOrder({"step", "seconds", "images_per_s", "input_wait", "resident_bytes"})
    private record Line(long step, double seconds, double imagesPerS, double inputWait, long residentBytes) {
        SequencedMap<String, Double> scalars() {
            SequencedMap<String, Double> scalars = new LinkedHashMap<>();
            scalars.put("input_wait", inputWait);
            scalars.put("resident_bytes", (double) residentBytes);
            return scalars;
        }
    }

    private final Path file;
    private final EventFile events;
    private final LongSupplier resident;
    private final Pace pace = new Pace();
    private boolean begun;

    /** @param events gets the same for TensorBoard */
    Resources(Path file, EventFile events, LongSupplier resident) {
        this.file = file;
        this.events = events;
        this.resident = resident;
    }

    /** Adds a line where one is due; the first step has one. */
    void step(Progress.Step step) {
        pace.add(step);
        if (begun && pace.ns() < INTERVAL_NS) {
            return;
        }
        begun = true;
        Line line = new Line(step.step(), pace.ns() / 1e9, pace.imagesPerS(), pace.inputWait(), resident.getAsLong());
        pace.restart();
        try {
            Files.write(file, (JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw AtomicFolder.cannotWrite(file, e);
        }
        events.add(line.step, line.scalars());
    }
}
