package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.firn.Firn;
import io.firn.error.UserError;
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
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Phases that unfreeze, each with a plan of its own over the same states; and an early end. */
class UnfreezeTest {
    @TempDir
    static Path shared;
    private static Path data;

    @TempDir
    private Path folder;

    @BeforeAll
    static void makeData() {
        data = TinyData.idx(shared.resolve("data"), 24, 8, 4);
    }

    private static Map<String, Object> options(Object... more) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "batch", 8,
                "precision", "fp32", "deterministic", true, "threads", 1, "depth", 0.3, "augment", "none", "epochs", 3));
        for (int i = 0; i < more.length; i += 2) {
            options.put((String) more[i], more[i + 1]);
        }
        return options;
    }

    private Map<String, Tensor> trained(String name, Object... more) {
        Firn.train(options(more), folder.resolve(name));
        return weights(name);
    }

    private Map<String, Tensor> weights(String name) {
        return Safetensors.read(folder.resolve(name).resolve("weights.safetensors")).tensors();
    }

    private static void assertSameBits(Map<String, Tensor> a, Map<String, Tensor> b) {
        assertThat(a.keySet()).isEqualTo(b.keySet());
        a.forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(b.get(name).data()));
    }

    @Test
    void aPhaseThatFreezesTheSameChangesNoBit() {
        // Momentum and statistics would show if they were not carried over.
        assertSameBits(trained("whole", "freeze", "until:layer2"),
                trained("phases", "freeze", "until:layer2", "unfreeze", List.of("1:until:layer2", "2:until:layer2")));
    }

    @Test
    void eachPhaseTrainsWhatItSays() throws IOException {
        var log = new ByteArrayOutputStream();
        Firn.train(new TrainRequest(Config.of(options("freeze", "head", "unfreeze", List.of("1:until:layer3", "2:none"))),
                Optional.of(folder.resolve("run")), false, false, Devices::local, new PrintStream(log)));
        assertThat(log.toString()).contains("from epoch 1 on: --freeze until:layer3", "from epoch 2 on: --freeze none")
                .containsPattern("frozen: \\d+ tensors");
        assertThat(new ObjectMapper().readTree(folder.resolve("run/freeze.json").toFile()).get("identical").asBoolean()).isTrue();
        Map<String, Tensor> head = trained("head", "freeze", "head", "max-steps", 9);
        Map<String, Tensor> run = weights("run");
        assertThat(run.get("conv1.weight").data()).isNotEqualTo(head.get("conv1.weight").data());
        Map<String, Tensor> two = trained("two", "freeze", "head", "unfreeze", List.of("1:until:layer3"));
        assertThat(two.get("layer2.0.conv1.weight").data()).as("frozen in both phases")
                .isEqualTo(head.get("layer2.0.conv1.weight").data());
        assertThat(two.get("layer3.0.conv1.weight").data()).isNotEqualTo(head.get("layer3.0.conv1.weight").data());
        assertThat(Files.readAllLines(folder.resolve("two/metrics.jsonl"))).hasSize(12);
    }

    @Test
    void anInterruptedRunGoesOnInItsPhase() {
        Map<String, Tensor> whole = trained("whole", "freeze", "head", "unfreeze", List.of("1:none"));
        trained("parts", "freeze", "head", "unfreeze", List.of("1:none"), "max-steps", 4);
        Firn.train(TrainRequest.of(Map.of("max-steps", 9), folder.resolve("parts")).resumed());
        assertSameBits(whole, weights("parts"));
    }

    @Test
    void trainingEndsWhenValidationNoLongerImproves() throws IOException {
        RunSummary s = Firn.train(options("lr", 0.0, "epochs", 9, "patience", 2, "freeze", "head"), folder.resolve("run"));
        assertThat(s.epochs()).as("the first is the best").isEqualTo(3);
        assertThat(folder.resolve("run/weights.safetensors")).exists();
    }

    @Test
    void phasesThatMakeNoSenseAreRefused() {
        for (String[] wrong : new String[][] {{"1", "must be EPOCH:SPEC"}, {"x:none", "must be EPOCH:SPEC"},
            {"0:none", "epochs must be above 0"}, {"1:layer9", "no module is named 'layer9'"},
            {"1:until:layer3,layer1", "no module"}}) {
            assertThatThrownBy(() -> trained("run", "freeze", "until:layer2", "unfreeze", List.of(wrong[0])))
                    .isInstanceOf(UserError.class).hasMessageContaining(wrong[1]);
        }
        assertThatThrownBy(() -> trained("run", "freeze", "until:layer2", "unfreeze", List.of("1:until:layer3")))
                .hasMessageContaining("phases can only unfreeze");
        assertThat(folder.resolve("run")).doesNotExist();
    }
}
