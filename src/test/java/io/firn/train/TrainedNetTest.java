package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.weights.Initializer;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import io.firn.weights.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Weight files of others, which say nothing about themselves, and of Firn, which do. */
class TrainedNetTest {
    @TempDir
    private Path folder;
    private Path file;
    private Model model;
    private SequencedMap<String, Tensor> tensors;

    @BeforeEach
    void writeAsOthersDo() {
        model = Models.build("resnet20", ModelOptions.defaults().withClasses(7).withChannels(1).withResolution(12));
        tensors = new LinkedHashMap<>();
        Initializer.initialize(model.graph(), 1, model.initialization()::sampler).forEach((name, data) ->
                tensors.put(name, new Tensor(model.graph().state(name).value().shape(), data)));
        file = folder.resolve("other.safetensors");
        Safetensors.write(file, new Weights(tensors, Map.of("format", "pt")));
    }

    private static TrainedNet read(Path file, Map<String, ?> asked, List<String> said) {
        return TrainedNet.read(file, Config.of(asked), said::add);
    }

    @Test
    void aFileOfOthersNeedsAModelAndIsReadForTheRest() {
        List<String> said = new ArrayList<>();
        assertThatThrownBy(() -> read(file, Map.of(), said)).isInstanceOf(UserError.class)
                .hasMessageContaining("give --model");
        TrainedNet net = read(file, Map.of("model", "resnet20"), said);
        assertThat(net.named()).isFalse();
        assertThat(net.card().classes()).hasSize(7);
        assertThat(net.card().options().channels()).isEqualTo(1);
        assertThat(net.card().preprocessing().resolution()).isEqualTo(32);
        assertThat(said).isEmpty();
        assertThatThrownBy(() -> read(file, Map.of("model", "resnet20", "classes", 3), said))
                .hasMessageContaining("not that of the 3 classes");
        assertThatThrownBy(() -> read(file, Map.of("model", "resnet18"), said)).hasMessageContaining("does not fit");
    }

    @Test
    void aFileOfFirnDescribesItself() {
        var card = new ModelCard("resnet20", model.options(), List.of("a", "b", "c", "d", "e", "f", "ü"),
                new Preprocessing(14, 12, 1, List.of(0.25), List.of(0.5)));
        Safetensors.write(file, new Weights(tensors, card.metadata()));
        TrainedNet net = read(file, Map.of(), new ArrayList<>());
        assertThat(net.card()).isEqualTo(card);
        assertThat(net.named()).isTrue();
        assertThat(net.tensors().get("conv1.weight").data()).isEqualTo(tensors.get("conv1.weight").data());
        assertThat(read(file, Map.of("resolution", 24), new ArrayList<>()).card().preprocessing())
                .isEqualTo(new Preprocessing(28, 24, 1, List.of(0.25), List.of(0.5)));
        assertThat(read(file, Map.of("resize", "none", "mean", List.of(0.1)), new ArrayList<>()).card().preprocessing())
                .isEqualTo(new Preprocessing(0, 12, 1, List.of(0.1), List.of(0.5)));
        assertThatThrownBy(() -> read(file, Map.of("model", "resnet18"), new ArrayList<>()))
                .hasMessageContaining("holds a resnet20");
    }

    @Test
    void metadataThatMakeNoSenseAreRefused() {
        Map<String, String> metadata = new LinkedHashMap<>(Map.of("model", "resnet20", "options", "{}", "classes", "[\"a\"]",
                "preprocessing", "7"));
        Safetensors.write(file, new Weights(tensors, metadata));
        assertThatThrownBy(() -> read(file, Map.of(), new ArrayList<>())).isInstanceOf(UserError.class)
                .hasMessageContaining("its metadata describe no model");
    }
}
