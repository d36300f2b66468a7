package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.MapperBuilder;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import io.firn.error.UserError;
import io.firn.files.AtomicFile;
import io.firn.models.NearNames;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Options by their long names without dashes, wherever they come from: the command line, a TOML file, defaults. Layers
 * are laid over each other by {@link #over}, and the result is bound once to records, which check themselves. Immutable.
 */
public final class Config {
    private static final ObjectMapper TREES = configure(JsonMapper.builder());
    private static final TomlMapper TOML = configure(TomlMapper.builder());
    /** No honest configuration comes near: a data set given by mistake must not be read as one. */
    private static final long LARGEST_FILE = 1 << 20;

    private final ObjectNode values;

    private Config(ObjectNode values) {
        this.values = values;
    }

    private static <M extends ObjectMapper, B extends MapperBuilder<M, B>> M configure(B mapper) {
        return mapper.addModule(new SimpleModule().addSerializer(new LowerCase()))
                .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
                .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
                        DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .build();
    }

    /** Enums as users type them. */
    @SuppressWarnings("rawtypes")
    private static final class LowerCase extends StdSerializer<Enum> {
        private static final long serialVersionUID = 1L;

        LowerCase() {
            super(Enum.class);
        }

        @Override
        public void serialize(Enum value, JsonGenerator json, SerializerProvider provider) throws IOException {
            json.writeString(value.name().toLowerCase());
        }
    }

    /** Values by long option name, such as {@code "warmup-epochs"}; nulls are left out. */
    public static Config of(Map<String, ?> values) {
        ObjectNode node = TREES.createObjectNode();
        values.forEach((key, value) -> {
            if (value != null) {
                node.set(key, tree(value));
            }
        });
        return new Config(node);
    }

    /** Every component of the records that is not null, enums in lower case. */
    public static Config from(Record... groups) {
        ObjectNode node = TREES.createObjectNode();
        for (Record group : groups) {
            ObjectNode fields = TREES.valueToTree(group);
            fields.properties().forEach(e -> {
                if (!e.getValue().isNull()) {
                    node.set(e.getKey(), e.getValue());
                }
            });
        }
        return new Config(node);
    }

    private static JsonNode tree(Object value) {
        return TREES.valueToTree(value instanceof Path p ? p.toString() : value);
    }

    /** The keys of records: their components in kebab case. */
    public static Set<String> keys(Collection<Class<? extends Record>> groups) {
        Set<String> keys = new LinkedHashSet<>();
        var kebab = (PropertyNamingStrategies.NamingBase) PropertyNamingStrategies.KEBAB_CASE;
        for (Class<? extends Record> group : groups) {
            Arrays.stream(group.getRecordComponents()).map(RecordComponent::getName).map(kebab::translate).forEach(keys::add);
        }
        return keys;
    }

    /**
     * Reads a TOML file.
     *
     * @param known the keys that may occur
     * @throws UserError (data) with the line where the file is missing, no text or no TOML; (usage) for an unknown key
     */
    public static Config read(Path file, Set<String> known) {
        return parse(file.toString(), text(file), known);
    }

    /** As {@link #read}, of a text; {@code file} names it in errors. */
    static Config parse(String file, String text, Set<String> known) {
        JsonNode node;
        try {
            node = TOML.readTree(text);
        } catch (JacksonException e) {
            int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
            throw UserError.data("%s%s: no valid TOML: %s", file, line > 0 ? ":" + line : "",
                    e.getOriginalMessage().lines().findFirst().orElse("")).causedBy(e);
        } catch (StackOverflowError e) {
            throw UserError.data("%s: no valid TOML: too deeply nested", file).causedBy(e);
        }
        for (Map.Entry<String, JsonNode> e : node.properties()) {
            if (!known.contains(e.getKey())) {
                List<String> near = NearNames.of(e.getKey(), known);
                throw UserError.usage("%s:%d: there is no option '%s'%s", file, line(text, e.getKey()), e.getKey(),
                        near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?");
            }
        }
        return new Config((ObjectNode) node);
    }

    private static String text(Path file) {
        try {
            if (!Files.isRegularFile(file)) {
                throw UserError.data("%s: no such configuration file", file);
            }
            if (Files.size(file) > LARGEST_FILE) {
                throw UserError.data("%s: too large for a configuration file", file);
            }
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(file))).toString();
        } catch (CharacterCodingException e) {
            throw UserError.data("%s: no valid TOML: not UTF-8 text", file).causedBy(e);
        } catch (IOException e) {
            throw UserError.data("%s: cannot be read: %s", file, e.getMessage()).causedBy(e);
        }
    }

    /** The line on which a key stands, for the message only. */
    private static int line(String text, String key) {
        var at = Pattern.compile("^[ \\t]*\\[*[\"']?" + Pattern.quote(key) + "\\b", Pattern.MULTILINE).matcher(text);
        return at.find() ? (int) text.substring(0, at.start()).chars().filter(c -> c == '\n').count() + 1 : 1;
    }

    /** These values, and those of {@code below} where there are none. */
    public Config over(Config below) {
        ObjectNode merged = below.values.deepCopy();
        merged.setAll(values);
        return new Config(merged);
    }

    public Config without(String... keys) {
        ObjectNode rest = values.deepCopy();
        rest.remove(List.of(keys));
        return new Config(rest);
    }

    /** The values of these keys. */
    public Config only(Collection<String> keys) {
        ObjectNode kept = values.deepCopy();
        kept.retain(keys);
        return new Config(kept);
    }

    public Config with(String key, Object value) {
        ObjectNode more = values.deepCopy();
        more.set(key, tree(value));
        return new Config(more);
    }

    /** The keys that have a value. */
    public Stream<String> keys() {
        return values.properties().stream().map(Map.Entry::getKey);
    }

    public boolean has(String key) {
        return values.has(key);
    }

    /** All values, by key: texts, numbers, booleans and lists of them. */
    public Map<String, Object> values() {
        return TREES.convertValue(values, new TypeReference<LinkedHashMap<String, Object>>() { });
    }

    /** The value as text ({@code 128} becomes "128", a list {@code [1,2]}); empty where there is none. */
    public Optional<String> text(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> v.isValueNode() ? v.asText() : v.toString());
    }

    /** Whether both have the same value: numbers by value, words in any case. */
    public boolean agrees(String key, Config other) {
        return agree(values.path(key), other.values.path(key));
    }

    private static boolean agree(JsonNode a, JsonNode b) {
        if (a.isNumber() && b.isNumber()) {
            return a.doubleValue() == b.doubleValue();
        }
        if (a.isArray() && b.isArray() && a.size() == b.size()) {
            return IntStream.range(0, a.size()).allMatch(i -> agree(a.get(i), b.get(i)));
        }
        return a.isTextual() && b.isTextual() ? a.textValue().equalsIgnoreCase(b.textValue())
                : a.equals(b) || a.isValueNode() && b.isValueNode() && a.asText().equals(b.asText());
    }

    /**
     * The values as a record, whose components have the keys' names in camel case.
     *
     * @throws UserError (usage) where a value is of the wrong type or the record refuses it
     */
    public <T extends Record> T bind(Class<T> group) {
        try {
            return TREES.treeToValue(values, group);
        } catch (JsonMappingException e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                if (t instanceof UserError refused) {
                    throw refused;
                }
            }
            String key = e.getPath().isEmpty() ? "" : e.getPath().getFirst().getFieldName();
            if (e instanceof MismatchedInputException wrong && values.has(key)) {
                throw UserError.usage("--%s takes %s, not %s", key, describe(wrong.getTargetType()), values.get(key))
                        .causedBy(e);
            }
            throw new IllegalStateException("cannot bind " + group.getSimpleName() + " to " + values, e);
        } catch (JacksonException e) {
            throw new IllegalStateException("cannot bind " + group.getSimpleName() + " to " + values, e);
        }
    }

    private static String describe(Class<?> type) {
        if (type.isEnum()) {
            return String.join("|", Arrays.stream(type.getEnumConstants()).map(c -> c.toString().toLowerCase()).toList());
        }
        return switch (type.getSimpleName()) {
            case "int", "Integer", "long", "Long" -> "a whole number";
            case "double", "Double" -> "a number";
            case "boolean", "Boolean" -> "true or false";
            case "List", "ArrayList" -> "a list";
            default -> "text";
        };
    }

    /** A line a key, in the order in which they were set. */
    public String toToml() {
        try {
            return TOML.writeValueAsString(values);
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Writes the file, whole or not at all. */
    public void write(Path file) {
        AtomicFile.write(file, toToml().getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Config c && values.equals(c.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    @Override
    public String toString() {
        return values.toString();
    }
}
