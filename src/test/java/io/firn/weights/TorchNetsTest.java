package io.firn.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole networks as PyTorch writes them, and Firn's files as PyTorch reads them. Needs a Python with torch, torchvision and
 * safetensors: {@code FIRN_PYTHON}, else {@code python3}.
 */
@Tag("slow")
class TorchNetsTest {
    private static final Path SCRIPT = Path.of("benchmarks/reference/make_weight_files.py");
    private static final String PYTHON = System.getenv().getOrDefault("FIRN_PYTHON", "python3");

    @TempDir
    static Path folder;

    @BeforeAll
    static void write() throws Exception {
        if (python("-c", "import safetensors, torchvision") != 0) {
            String reason = "skipped: " + PYTHON + " has no torch, torchvision and safetensors (FIRN_PYTHON names another Python)";
            System.out.println(reason);
            abort(reason);
        }
        assertThat(python(SCRIPT.toString(), "nets", folder.toString())).isZero();
    }

    private static int python(String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(PYTHON));
        command.addAll(Arrays.asList(args));
        Process p;
        try {
            p = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
        } catch (IOException e) {
            return -1;
        }
        assertThat(p.waitFor(5, TimeUnit.MINUTES)).isTrue();
        return p.exitValue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "efficientnet_b0"})
    void bothFormatsHoldWhatSafetensorsHold(String name) {
        Model model = Models.build(name, ModelOptions.defaults().withClasses(10));
        for (String type : List.of("", "-bf16")) {
            Weights expected = WeightFile.read(folder.resolve(name + type + ".safetensors")).weights();
            assertThat(Matching.match(model.graph(), expected).messages()).isEmpty();
            for (String format : type.isEmpty() ? List.of("", "-first-format") : List.of("")) {
                WeightFile read = WeightFile.read(folder.resolve(name + type + format + ".pth"));
                assertThat(read.format()).isEqualTo(WeightFile.Format.TORCH);
                assertThat(read.weights().tensors().keySet()).isEqualTo(expected.tensors().keySet());
                read.weights().tensors().forEach((key, t) -> {
                    assertThat(t.shape()).as(key).isEqualTo(expected.tensors().get(key).shape());
                    assertThat(Arrays.equals(t.data(), expected.tensors().get(key).data())).as(key).isTrue();
                });
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "efficientnet_b0"})
    void pytorchReadsWhatFirnWrites(String name) throws Exception {
        Path file = folder.resolve(name + "-firn.safetensors");
        Safetensors.write(file, WeightFile.read(folder.resolve(name + ".pth")).weights());
        assertThat(python(SCRIPT.toString(), "compare", file.toString(), folder.resolve(name + ".pth").toString())).isZero();
    }

    @Test
    void theComparisonFindsADifference() throws Exception {
        assertThat(python(SCRIPT.toString(), "compare", folder.resolve("resnet18.pth").toString(),
                folder.resolve("resnet18-bf16.pth").toString())).isEqualTo(1);
    }

    @Test
    void largeFilesWithDamageAreRefusedSoon() throws IOException {
        byte[] whole = java.nio.file.Files.readAllBytes(folder.resolve("efficientnet_b0.pth"));
        byte[] first = java.nio.file.Files.readAllBytes(folder.resolve("efficientnet_b0-first-format.pth"));
        assertThat(Damage.read(whole, folder.resolve("damaged"), 40, 1)).isPositive();
        assertThat(Damage.read(first, folder.resolve("damaged"), 40, 2)).isPositive();
    }
}
