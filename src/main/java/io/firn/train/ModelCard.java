package io.firn.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.weights.WeightFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What a weight file says about itself in its metadata, so that nobody has to remember it.
 *
 * @param model         a name of {@link Models}
 * @param options       as resolved, for one image
 * @param classes       names by label
 * @param preprocessing how images are prepared
 */
public record ModelCard(String model, ModelOptions options, List<String> classes, Preprocessing preprocessing) {
    private static final ObjectMapper JSON = new ObjectMapper();

    public ModelCard {
        options = options.withBatch(1);
        classes = List.copyOf(classes);
        if (classes.size() != options.classes()) {
            throw new IllegalArgumentException("%d names for %d classes".formatted(classes.size(), options.classes()));
        }
    }

    /** The network for batches of that many images. */
    public Model build(int batch) {
        return Models.build(model, options.withBatch(batch));
    }

    /** Keys are plain words; all but the model's name is JSON. */
    public Map<String, String> metadata() {
        Map<String, Object> net = new LinkedHashMap<>();
        net.put("classes", options.classes());
        net.put("channels", options.channels());
        net.put("resolution", options.resolution());
        put(net, "dropout", options.dropout());
        put(net, "drop_path", options.dropPath());
        put(net, "width", options.width());
        put(net, "depth", options.depth());
        // Libraries of the Python world ask for the format.
        return Map.of("format", "pt", "model", model, "options", json(net), "classes", json(classes), "preprocessing",
                json(preprocessing));
    }

    private static void put(Map<String, Object> map, String key, OptionalDouble value) {
        value.ifPresent(v -> map.put(key, v));
    }

    /** A value of a weight file's metadata. */
    static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JacksonException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Reads a file's metadata; empty where it is not of Firn's making.
     *
     * @throws UserError (data) where it contradicts itself
     */
    static Optional<ModelCard> of(Map<String, String> metadata, Path file) {
        if (!metadata.keySet().containsAll(List.of("model", "options", "classes", "preprocessing"))) {
            return Optional.empty();
        }
        try {
            JsonNode net = JSON.readTree(metadata.get("options"));
            ModelOptions options = new ModelOptions(1, net.path("classes").asInt(), net.path("channels").asInt(),
                    net.path("resolution").asInt(), number(net, "dropout"), number(net, "drop_path"), number(net, "width"),
                    number(net, "depth"), OptionalDouble.empty());
            List<String> classes = List.of(JSON.readValue(metadata.get("classes"), String[].class));
            return Optional.of(new ModelCard(metadata.get("model"), options, classes,
                    JSON.readValue(metadata.get("preprocessing"), Preprocessing.class)));
        } catch (JacksonException | IllegalArgumentException | NullPointerException e) {
            throw UserError.data("%s: its metadata describe no model: %s", file, String.valueOf(e.getMessage()).lines()
                    .findFirst().orElse("")).causedBy(e);
        }
    }

    /**
     * What the weights that {@code --init} names say about themselves; empty where that is nothing.
     *
     * @throws UserError (data) where they cannot be read
     */
    public static Optional<ModelCard> ofWeights(Path init) {
        Path file = WeightFiles.find(init);
        return of(WeightFile.read(file).weights().metadata(), file);
    }

    /** The options with the model and its factors as these weights say them, where both do and they name no other. */
    public static Config complete(Config asked, String init) {
        return ofWeights(Path.of(init)).map(card -> card.complete(asked)).orElse(asked);
    }

    Config complete(Config asked) {
        Map<String, Object> known = new LinkedHashMap<>();
        if (!asked.has("model") || asked.text("model").orElseThrow().equals(model)) {
            known.put("model", model);
            if (!asked.has("phi")) {
                put(known, "width", options.width());
                put(known, "depth", options.depth());
            }
        }
        return asked.over(Config.of(known));
    }

    private static OptionalDouble number(JsonNode node, String key) {
        return node.path(key).isNumber() ? OptionalDouble.of(node.get(key).asDouble()) : OptionalDouble.empty();
    }
}
