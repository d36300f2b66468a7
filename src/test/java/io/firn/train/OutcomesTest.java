package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.data.Dataset;
import io.firn.data.Datasets;
import io.firn.data.Image;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code predictions.jsonl} has what the network said, and pictures of what it saw. */
class OutcomesTest {
    private static final List<String> CLASSES = List.of("a", "b", "c", "d");

    @TempDir
    private Path folder;

    private List<JsonNode> written(Dataset set, Preprocessing p, float[]... logits) throws IOException {
        Outcomes outcomes = new Outcomes(set);
        Score score = new Score();
        for (int i = 0; i < logits.length; i++) {
            int label = set.label(i);
            outcomes.add(i, label, score.add(logits[i], 0, 4, label), logits[i], 0, 4);
        }
        Path file = folder.resolve("predictions.jsonl");
        outcomes.write(file, Position.START, score.result(1), CLASSES, p);
        ObjectMapper json = new ObjectMapper();
        return Files.readAllLines(file).stream().map(l -> {
            try {
                return json.readTree(l);
            } catch (IOException e) {
                throw new IllegalStateException(l, e);
            }
        }).toList();
    }

    private static List<JsonNode> of(List<JsonNode> lines, String kind) {
        return lines.stream().filter(l -> l.get("kind").asText().equals(kind)).toList();
    }

    @Test
    void probabilitiesAreTheSoftmax() throws Exception {
        Dataset set = Datasets.open(TinyData.idx(folder.resolve("data"), 3, 0, 4).toString(), _ -> { }).train();
        List<JsonNode> lines = written(set, new Preprocessing(0, 12, 1, List.of(0.5), List.of(0.5)),
                new float[] {0, 1, 2, 3}, new float[] {0, 900, 0, 0}, new float[] {1, 1, 1, 1});
        assertThat(lines.getFirst().get("kind").asText()).isEqualTo("validation");
        assertThat(lines.getFirst().get("images").asInt()).isEqualTo(3);
        assertThat(lines.getFirst().get("top1").asDouble()).isCloseTo(1 / 3.0, within(1e-12));
        assertThat(lines.getFirst().get("classes").size()).isEqualTo(4);
        List<JsonNode> p = of(lines, "prediction");
        double sum = 1 + Math.E + Math.exp(2) + Math.exp(3);
        assertThat(p.get(0).get("predicted").asInt()).isEqualTo(3);
        assertThat(p.get(0).get("confidence").asDouble()).isCloseTo(Math.exp(3) / sum, within(1e-6));
        assertThat(p.get(0).get("label_probability").asDouble()).isCloseTo(1 / sum, within(1e-6));
        assertThat(p.get(1).get("confidence").asDouble()).isEqualTo(1);
        assertThat(p.get(2).get("predicted").asInt()).isZero();
        assertThat(p.get(2).get("confidence").asDouble()).isCloseTo(0.25, within(1e-6));
        // A picture has the set's own pixels where the network takes them as they are.
        List<JsonNode> pictures = of(lines, "picture");
        assertThat(pictures).hasSize(3);
        String uri = pictures.get(1).get("picture").asText();
        assertThat(uri).startsWith("data:image/png;base64,");
        var image = ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(uri.substring(uri.indexOf(',') + 1))));
        Image original = set.image(1);
        for (int i = 0; i < 144; i++) {
            assertThat(image.getRaster().getSample(i % 12, i / 12, 0)).isEqualTo(original.pixels()[i] & 0xff);
        }
    }

    @Test
    void whatIsWorthALookIsFewAndHoldsTheWorst() throws IOException {
        Dataset set = Datasets.open(TinyData.idx(folder.resolve("data"), 500, 0, 4).toString(), _ -> { }).train();
        float[][] logits = new float[500][];
        for (int i = 0; i < 500; i++) {
            logits[i] = new float[4];
            logits[i][set.label(i)] = i == 77 ? -50 : 5;
        }
        List<JsonNode> pictures = of(written(set, new Preprocessing(0, 12, 1, List.of(0.5), List.of(0.5)), logits), "picture");
        assertThat(pictures).hasSizeBetween(24, 84).anyMatch(l -> l.get("image").asInt() == 77);
    }

    @Test
    void largeImagesBecomeSmallPictures() throws IOException {
        Dataset set = Datasets.open(TinyData.idx(folder.resolve("data"), 2, 0, 2).toString(), _ -> { }).train();
        String uri = Thumbnail.of(set, 0, new Preprocessing(256, 224, 3, List.of(0.5, 0.5, 0.5), List.of(0.5, 0.5, 0.5)))
                .orElseThrow();
        assertThat(uri).startsWith("data:image/jpeg;base64,").hasSizeLessThan(12_000);
    }
}
