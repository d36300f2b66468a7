package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.graph.State;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.weights.Initializer;
import io.firn.weights.Safetensors;
import io.firn.weights.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** After a run, what was frozen is bit for bit what it was, and a run where it is not fails. */
class FreezeAuditTest {
    @TempDir
    static Path shared;
    private static Path data;
    private static Path first;

    @TempDir
    private Path folder;

    @BeforeAll
    static void trainSomething() {
        data = TinyData.idx(shared.resolve("data"), 48, 16, 4);
        first = shared.resolve("first");
        Firn.train(options("epochs", 1), first);
    }

    private static Map<String, Object> options(Object... more) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "batch", 8,
                "precision", "fp32", "deterministic", true, "threads", 2, "depth", 0.3, "augment", "none"));
        for (int i = 0; i < more.length; i += 2) {
            options.put((String) more[i], more[i + 1]);
        }
        return options;
    }

    private static JsonNode json(Path run) throws IOException {
        return new ObjectMapper().readTree(run.resolve("freeze.json").toFile());
    }

    @ParameterizedTest
    @ValueSource(strings = {"head", "until:layer3", "layer1,bn1.weight,layer3.0.bn2"})
    void frozenTensorsAndTheirStatisticsKeepEveryBit(String freeze) throws IOException {
        Path run = folder.resolve("run");
        var log = new ByteArrayOutputStream();
        Firn.train(new TrainRequest(Config.of(options("init", first.toString(), "freeze", freeze, "epochs", 2)),
                Optional.of(run), false, false, Devices::local, new PrintStream(log)));
        JsonNode audit = json(run);
        assertThat(audit.get("freeze").asText()).isEqualTo(freeze);
        assertThat(audit.get("checked").asLong()).isEqualTo(12);
        assertThat(audit.get("identical").asBoolean()).isTrue();
        Map<String, Tensor> before = Safetensors.read(first.resolve("best.safetensors")).tensors();
        Map<String, Tensor> after = Safetensors.read(run.resolve("weights.safetensors")).tensors();
        Set<String> frozen = Set.copyOf(new ObjectMapper().convertValue(audit.get("tensors"), Map.class).keySet());
        assertThat(frozen).contains("bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var");
        after.forEach((name, t) -> {
            if (!name.endsWith("num_batches_tracked")) {
                boolean same = java.util.Arrays.equals(t.data(), before.get(name).data());
                assertThat(same).as(name).isEqualTo(frozen.contains(name));
            }
        });
        assertThat(log.toString()).contains("frozen: " + frozen.size() + " tensors of ");
    }

    @Test
    void withoutFrozenTensorsThereIsNothingToSay() {
        assertThat(first.resolve("freeze.json")).doesNotExist();
    }

    @Test
    void aResumedRunIsHeldToItsFirstProcess() throws IOException {
        Path run = folder.resolve("run");
        Map<String, Object> options = options("init", first.toString(), "freeze", "until:layer3", "epochs", 2);
        options.put("max-steps", 3);
        Firn.train(options, run);
        ObjectNode audit = (ObjectNode) json(run);
        ((ObjectNode) audit.get("tensors")).put("bn1.running_var", "0".repeat(64));
        new ObjectMapper().writeValue(run.resolve("freeze.json").toFile(), audit);
        Files.delete(run.resolve("weights.safetensors"));
        assertThatThrownBy(() -> Firn.train(TrainRequest.of(Map.of("max-steps", 5), run).resumed()))
                .isInstanceOf(UserError.class).hasMessageContaining("1 frozen tensors changed")
                .hasMessageContaining("bn1.running_var")
                .satisfies(e -> assertThat(((UserError) e).kind()).isEqualTo(UserError.Kind.OTHER));
        assertThat(json(run).get("identical").asBoolean()).isFalse();
        assertThat(run.resolve("weights.safetensors")).doesNotExist();
    }

    @Test
    void oneBitIsSeen() {
        Model model = Models.build("resnet20", ModelOptions.defaults());
        Map<String, float[]> states = Initializer.initialize(model.graph(), 1, model.initialization()::sampler, _ -> true);
        List<State> frozen = FreezeAudit.frozenStates(model.graph(), Set.of("layer1.0.bn1.weight", "layer2.0.conv1.weight"));
        assertThat(frozen.stream().map(State::name)).containsExactly("layer1.0.bn1.weight", "layer1.0.bn1.bias",
                "layer1.0.bn1.running_mean", "layer1.0.bn1.running_var", "layer2.0.conv1.weight");
        FreezeAudit audit = FreezeAudit.of("some", frozen, s -> states.get(s.name()));
        Path file = folder.resolve("freeze.json");
        assertThat(audit.check(file, frozen, s -> states.get(s.name()), 1)).contains("5 tensors of 4,672 numbers");
        float[] values = states.get("layer1.0.bn1.running_mean");
        values[3] = -values[3];
        assertThat(values[3]).as("zero, but not its bits").isEqualTo(-0f);
        assertThatThrownBy(() -> audit.check(file, frozen, s -> states.get(s.name()), 2))
                .hasMessageContaining("layer1.0.bn1.running_mean");
    }
}
