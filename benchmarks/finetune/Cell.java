import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.finetune.LearningCurve;
import io.firn.finetune.Similarity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What came of a sample in every way of training: a line of {@code cells*.jsonl}.
 *
 * @param source   what the weights were trained on; "none" for training from scratch
 * @param images   a class
 * @param shift    at the first batch norm, and the most at any; null from scratch
 * @param taps     what was measured; null from scratch
 * @param curve    of the head; null from scratch
 * @param advised  by the borders of that build; null from scratch
 * @param accuracy top-1 on the test part by value of {@code --freeze}
 */
record Cell(String source, String target, int images, int seed, int classes, int steps, double[] shift,
            List<Similarity> taps, LearningCurve curve, String advised, Map<String, Double> accuracy) {
    static final String SCRATCH = "none";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Which cell it is. */
    String key() {
        return key(source, target, images, seed);
    }

    static String key(String source, String target, int images, int seed) {
        return "%s to %s, %d, seed %d".formatted(source, target, images, seed);
    }

    String line() throws IOException {
        return JSON.writeValueAsString(this) + "\n";
    }

    /** All that are in the folder's {@code NAME-*.jsonl}; a last line that was cut off counts as none. */
    static List<Cell> read(Path folder, String name) throws IOException {
        List<Cell> cells = new ArrayList<>();
        try (var files = Files.list(folder)) {
            for (Path f : files.filter(f -> f.getFileName().toString().matches(name + "-.*\\.jsonl")).sorted().toList()) {
                for (String line : Files.readString(f).split("\n")) {
                    if (line.endsWith("}")) {
                        cells.add(JSON.readValue(line, Cell.class));
                    }
                }
            }
        }
        return cells;
    }
}
