package io.firn.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A run's {@code predictions.jsonl}: what its best network said about each image of the validation.
 *
 * @param pictures   of some images, by the image's index
 * @param unreadable lines that made no sense
 */
record Validation(int epoch, long step, List<String> classes, List<Prediction> predictions, Map<Integer, Picture> pictures,
                  long unreadable) {
    private static final Pattern PICTURE = Pattern.compile("data:image/(png|jpeg);base64,[A-Za-z0-9+/]+={0,2}");

    /** An image's label, the class that it was taken for, and the probability of either. */
    record Prediction(int image, int label, int predicted, double confidence, double ofLabel) {
        boolean isRight() {
            return label == predicted;
        }
    }

    /** @param uri the picture itself; empty where there is none that can be shown */
    record Picture(String file, Optional<String> uri) {
    }

    /** Empty where the file does not say what the classes are. */
    static Optional<Validation> read(Path file) throws IOException {
        Reader reader = new Reader();
        long unreadable = JsonLines.read(file, reader::line);
        return reader.classes.isEmpty() ? Optional.empty() : Optional.of(new Validation(reader.epoch, reader.step,
                reader.classes, reader.predictions, reader.pictures, unreadable));
    }

    String name(int label) {
        return classes.get(label);
    }

    private static final class Reader {
        private final List<String> classes = new ArrayList<>();
        private final List<Prediction> predictions = new ArrayList<>();
        private final Map<Integer, Picture> pictures = new LinkedHashMap<>();
        private int epoch;
        private long step;

        boolean line(JsonNode n) {
            return switch (n.path("kind").asText()) {
                case "validation" -> validation(n);
                case "prediction" -> prediction(n);
                case "picture" -> picture(n);
                default -> false;
            };
        }

        private boolean validation(JsonNode n) {
            if (!classes.isEmpty()) {
                return false;
            }
            n.path("classes").forEach(c -> classes.add(c.asText()));
            epoch = n.path("epoch").asInt();
            step = n.path("step").asLong();
            return !classes.isEmpty();
        }

        private boolean prediction(JsonNode n) {
            Prediction p = new Prediction(n.path("image").asInt(-1), n.path("label").asInt(-1),
                    n.path("predicted").asInt(-1), JsonLines.number(n, "confidence"), JsonLines.number(n, "label_probability"));
            boolean valid = isClass(p.label) && isClass(p.predicted) && isProbability(p.confidence)
                    && isProbability(p.ofLabel);
            if (valid) {
                predictions.add(p);
            }
            return valid;
        }

        private boolean isClass(int label) {
            return label >= 0 && label < classes.size();
        }

        private static boolean isProbability(double p) {
            // Rounded to a float, a probability may be a little more than 1.
            return p >= 0 && p <= 1.0001;
        }

        private boolean picture(JsonNode n) {
            String uri = n.path("picture").asText();
            pictures.put(n.path("image").asInt(-1), new Picture(n.path("file").asText(),
                    PICTURE.matcher(uri).matches() ? Optional.of(uri) : Optional.empty()));
            return true;
        }
    }
}
