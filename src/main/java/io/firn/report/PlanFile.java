package io.firn.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A run's {@code plan.json}: the step that it ran.
 *
 * @param memory    bytes by kind
 * @param catalogue the libraries that offered its kernels
 */
record PlanFile(String model, String target, String precision, int batch, int resolution, long parameters, long trained,
                double predictedMs, SequencedMap<String, Long> memory, List<Launch> launches, String catalogue) {

    /**
     * FLOPs, bytes and time are those of all the times that it runs in a step.
     *
     * @param live bytes of activations, gradients and workspace in use; 0 where an old file does not say
     */
    record Launch(String name, String op, String phase, String kernel, long flops, long bytes, double ms, long live) {
    }

    static PlanFile read(Path file) throws IOException {
        JsonNode n = JsonMapper.builder().build().readTree(file.toFile());
        SequencedMap<String, Long> memory = new LinkedHashMap<>();
        n.path("memory").properties().forEach(e -> memory.put(e.getKey(), e.getValue().asLong()));
        List<Launch> launches = new ArrayList<>();
        n.path("launches").forEach(l -> {
            int times = l.path("times").asInt(1);
            launches.add(new Launch(l.path("name").asText(), l.path("op").asText(), l.path("phase").asText(),
                    l.path("kernel").asText(), times * l.path("flops").asLong(), times * l.path("bytes").asLong(),
                    times * l.path("predicted_ms").asDouble(), l.path("live").asLong()));
        });
        if (launches.isEmpty()) {
            throw new IOException("has no launches");
        }
        return new PlanFile(n.path("model").asText(), n.path("target").asText(), n.path("precision").asText(),
                n.path("batch").asInt(), n.path("resolution").asInt(), n.path("parameters").asLong(),
                n.path("trainable_parameters").asLong(), n.path("predicted_ms").asDouble(), memory, launches,
                n.path("catalogue").asText());
    }

    long memory(String kind) {
        return memory.getOrDefault(kind, 0L);
    }
}
