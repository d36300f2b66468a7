package io.firn.cli;

import com.fasterxml.jackson.annotation.JsonIncludeProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.firn.data.DamagedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How commands print: one JSON document for programs, aligned tables for people. Both return text, which a command
 * prints to standard output in one go, so that a failure leaves nothing half-printed.
 */
public final class Console {
    private Console() {
    }

    /** Made at first use: most commands print no JSON. */
    private static final class Json {
        static final ObjectMapper MAPPER = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .enable(SerializationFeature.INDENT_OUTPUT)
                .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
                .addModule(new SimpleModule().addSerializer(new OrNull()))
                .addMixIn(DamagedImage.class, DamagedJson.class)
                .build();
    }

    /** An absent value is null. */
    private static final class OrNull extends StdSerializer<Optional<?>> {
        private static final long serialVersionUID = 1L;

        OrNull() {
            super(Optional.class, false);
        }

        @Override
        public void serialize(Optional<?> value, JsonGenerator json, SerializerProvider provider) throws IOException {
            provider.defaultSerializeValue(value.orElse(null), json);
        }
    }

    /** It is an exception, whose trace nobody wants. */
    @JsonIncludeProperties({"file", "reason"})
    private interface DamagedJson {
        @JsonProperty
        String file();

        @JsonProperty
        String reason();
    }

    /**
     * A record (its components in snake_case: {@code multiplyAdds} becomes {@code multiply_adds}), list or map as JSON.
     * NaN and infinities, which JSON lacks, become strings.
     */
    public static String json(Object value) {
        try {
            return Json.MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** 25557032 → "25,557,032", whatever the user's locale. */
    public static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    /** Bytes in the unit that leaves up to four digits before the point: "97.8 MB" (a MB is a million bytes). */
    public static String bytes(long n) {
        String[] units = {"B", "kB", "MB", "GB", "TB"};
        double scaled = n;
        int unit = 0;
        while (Math.abs(scaled) >= 1000 && unit < units.length - 1) {
            scaled /= 1000;
            unit++;
        }
        return unit == 0 ? n + " B" : String.format(Locale.ROOT, "%.1f %s", scaled, units[unit]);
    }

    /** A table whose columns are as wide as their widest cell; a heading that begins with ">" aligns to the right. */
    public static final class Table {
        private final List<String[]> rows = new ArrayList<>();
        private final boolean[] right;

        public Table(String... headings) {
            right = new boolean[headings.length];
            String[] titles = new String[headings.length];
            for (int i = 0; i < headings.length; i++) {
                right[i] = headings[i].startsWith(">");
                titles[i] = right[i] ? headings[i].substring(1) : headings[i];
            }
            rows.add(titles);
        }

        /** Adds a row: one value a heading, printed by {@code toString}; null leaves the cell empty. */
        public Table row(Object... cells) {
            if (cells.length != right.length) {
                throw new IllegalArgumentException(cells.length + " cells in a table of " + right.length + " columns");
            }
            String[] row = new String[cells.length];
            for (int i = 0; i < cells.length; i++) {
                row[i] = cells[i] == null ? "" : cells[i].toString();
            }
            rows.add(row);
            return this;
        }

        /** The table with a line break after each row. */
        @Override
        public String toString() {
            int[] widths = new int[right.length];
            for (String[] row : rows) {
                for (int i = 0; i < row.length; i++) {
                    widths[i] = Math.max(widths[i], row[i].codePointCount(0, row[i].length()));
                }
            }
            StringBuilder text = new StringBuilder();
            for (String[] row : rows) {
                StringBuilder line = new StringBuilder();
                for (int i = 0; i < row.length; i++) {
                    String pad = " ".repeat(widths[i] - row[i].codePointCount(0, row[i].length()));
                    line.append(i == 0 ? "" : "  ").append(right[i] ? pad + row[i] : row[i] + pad);
                }
                text.append(line.toString().stripTrailing()).append('\n');
            }
            return text.toString();
        }
    }
}
