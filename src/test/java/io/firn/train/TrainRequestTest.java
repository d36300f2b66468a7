package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.models.ModelOptions;
import io.firn.weights.Safetensors;
import io.firn.weights.Weights;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run's folder is called where nobody says. */
class TrainRequestTest {
    @TempDir
    private Path folder;

    @Test
    void isNamedByTheModelThatTheWeightsTell() {
        Path file = folder.resolve("some.safetensors");
        ModelCard card = new ModelCard("resnet20", ModelOptions.defaults().withClasses(2), List.of("a", "b"),
                new Preprocessing(36, 32, 3, List.of(0.5, 0.5, 0.5), List.of(0.25, 0.25, 0.25)));
        Safetensors.write(file, new Weights(new LinkedHashMap<>(), card.metadata()));
        assertThat(request(Map.of("init", file.toString())).folder().getFileName().toString()).startsWith("resnet20-");
        assertThat(request(Map.of("init", file.toString(), "model", "resnet18")).folder().getFileName().toString())
                .startsWith("resnet18-");
    }

    @Test
    void weightsTellTheModelAndItsFactors() {
        ModelCard card = new ModelCard("resnet20", ModelOptions.defaults().withClasses(2).withWidth(2), List.of("a", "b"),
                new Preprocessing(36, 32, 3, List.of(0.5, 0.5, 0.5), List.of(0.25, 0.25, 0.25)));
        assertThat(card.complete(Config.of(Map.of("epochs", 3)))).isEqualTo(
                Config.of(Map.of("epochs", 3, "model", "resnet20", "width", 2.0)));
        assertThat(card.complete(Config.of(Map.of("model", "resnet18"))).has("width")).isFalse();
        assertThat(card.complete(Config.of(Map.of("phi", 1.0))).has("width")).isFalse();
    }

    @Test
    void needsAModel() {
        assertThatThrownBy(() -> request(Map.of()).folder()).isInstanceOf(UserError.class).hasMessageContaining("--model");
    }

    private static TrainRequest request(Map<String, ?> options) {
        return new TrainRequest(Config.of(options), Optional.empty(), false, false, Devices::local, System.out);
    }
}
