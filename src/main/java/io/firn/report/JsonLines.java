package io.firn.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;

/** Reads files with a JSON object a line, as far as they can be read: a killed run's last line may be torn. */
final class JsonLines {
    private static final ObjectMapper JSON = JsonMapper.builder().build();
    /** No line of a run is nearly as long; what is longer is skipped without being held. */
    private static final int LONGEST = 4 << 20;

    private JsonLines() {
    }

    /**
     * Hands on each line.
     *
     * @param line says whether it made sense
     * @return how many lines did not
     */
    static long read(Path file, Predicate<JsonNode> line) throws IOException {
        long senseless = 0;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            var text = new ByteArrayOutputStream();
            long length = 0;
            for (int b = in.read(); b >= 0 || length > 0; b = in.read()) {
                if (b >= 0 && b != '\n') {
                    length++;
                    if (length <= LONGEST) {
                        text.write(b);
                    }
                    continue;
                }
                if (length > 0 && (length > LONGEST || !makesSense(text.toByteArray(), line))) {
                    senseless++;
                }
                text.reset();
                length = 0;
            }
        }
        return senseless;
    }

    private static boolean makesSense(byte[] text, Predicate<JsonNode> line) throws IOException {
        try {
            JsonNode node = JSON.readTree(text);
            return node.isObject() && line.test(node);
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    /** A member that is a number; NaN where there is none (JSON writes NaN and infinities as texts). */
    static double number(JsonNode node, String key) {
        JsonNode value = node.path(key);
        return value.isNumber() ? value.doubleValue() : Double.NaN;
    }
}
