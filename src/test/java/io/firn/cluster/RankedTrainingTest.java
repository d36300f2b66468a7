package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.Firn;
import io.firn.backend.cuda.SimulatedGpu;
import io.firn.backend.cuda.SimulatedWire;
import io.firn.backend.cuda.kernels.Shim;
import io.firn.error.UserError;
import io.firn.train.Config;
import io.firn.train.RunSummary;
import io.firn.train.TinyData;
import io.firn.train.TrainRequest;
import io.firn.weights.Safetensors;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole trainings on several ranks of one process. */
class RankedTrainingTest {
    @TempDir
    static Path shared;
    private static Path data;

    @TempDir
    private Path folder;
    /** Of simulated GPUs: each with a cache of its own, since kernels that are in one already have no source. */
    private final AtomicInteger opened = new AtomicInteger();

    @BeforeAll
    static void makeData() {
        data = TinyData.idx(shared.resolve("data"), 50, 22, 4);
    }

    private static Map<String, Object> options(Object... keysAndValues) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "epochs", 3,
                "batch", 8, "precision", "fp32", "deterministic", true, "threads", 1, "depth", 0.3, "augment", "none"));
        for (int i = 0; i < keysAndValues.length; i += 2) {
            options.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return options;
    }

    private static void assertSameBits(Path run, Path other) {
        var a = Safetensors.read(run.resolve("weights.safetensors")).tensors();
        var b = Safetensors.read(other.resolve("weights.safetensors")).tensors();
        assertThat(a.keySet()).isEqualTo(b.keySet());
        a.forEach((name, t) -> assertThat(t.data()).as(name).isEqualTo(b.get(name).data()));
    }

    private static List<String> lines(Path run, String kind) throws IOException {
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream().filter(l -> l.contains("\"" + kind + "\"")).toList();
    }

    @Test
    void twoRanksLearnAndGoOnExactly() throws IOException {
        Path whole = folder.resolve("whole");
        RunSummary s = Firn.train(options("ranks", 2, "sync-bn", true, "epochs", 4), whole);
        assertThat(s.steps()).isEqualTo(24);
        assertThat(s.bestTop1()).isGreaterThan(0.6);
        assertThat(lines(whole, "step")).hasSize(24);
        assertThat(Files.readString(whole.resolve("config.toml"))).contains("ranks = 2");
        assertThat(Files.readString(whole.resolve("plan.json"))).contains("\"collective\"");

        Path resumed = folder.resolve("resumed");
        Firn.train(options("ranks", 2, "sync-bn", true, "epochs", 4, "max-steps", 9), resumed);
        // It ended in the middle of the second epoch; the folder says how many ranks there were.
        Firn.train(TrainRequest.of(Map.of("max-steps", 24), resumed).resumed());
        assertSameBits(whole, resumed);
    }

    /** The losses of the first steps, before rounding has had its way. */
    @Test
    void synchronisedRanksTrainAsOneDoes() throws IOException {
        Path one = folder.resolve("one");
        Path two = folder.resolve("two");
        Firn.train(options("max-steps", 4), one);
        Firn.train(options("max-steps", 4, "ranks", 2, "sync-bn", true), two);
        List<String> a = lines(one, "step");
        List<String> b = lines(two, "step");
        for (int i = 0; i < 4; i++) {
            assertThat(loss(b.get(i))).as("step " + i).isCloseTo(loss(a.get(i)), org.assertj.core.data.Offset.offset(1e-4));
        }
    }

    private TrainRequest onGpus(String run, SimulatedWire wire, Object... options) {
        return new TrainRequest(Config.of(options(options)), Optional.of(folder.resolve(run)), false, false, (device, _) -> {
            assertThat(device).matches("cuda|cuda:[01]");
            int n = opened.getAndIncrement();
            return SimulatedGpu.backend(folder.resolve(run + "-cache" + n), n, wire);
        }, new PrintStream(OutputStream.nullOutputStream()));
    }

    /** The whole way, but for the devices: from the list of GPUs to the weights. */
    @Test
    @Tag("slow")
    void twoSimulatedGpusTrainAsOneDoes() throws IOException {
        Shim.missing().ifPresent(Assumptions::abort);
        SimulatedWire wire = new SimulatedWire();
        Ranked.train(onGpus("gpu", wire, "max-steps", 3, "device", "cuda"), Map.of());
        Ranked.train(onGpus("gpus", wire, "max-steps", 2, "device", "cuda:0,1", "sync-bn", true), Map.of());
        Ranked.train(onGpus("gpus", wire, "max-steps", 3, "device", "cuda:0,1", "sync-bn", true).resumed(), Map.of());
        List<String> one = lines(folder.resolve("gpu"), "step");
        List<String> two = lines(folder.resolve("gpus"), "step");
        assertThat(two).hasSize(3);
        for (int i = 0; i < 3; i++) {
            assertThat(loss(two.get(i))).as("step " + i).isCloseTo(loss(one.get(i)), org.assertj.core.data.Offset.offset(1e-4));
        }
        assertThat(Files.readString(folder.resolve("gpus/config.toml"))).contains("cuda:0,1", "ranks = 2");
        assertThat(folder.resolve("gpus/weights.safetensors")).exists();
    }

    private static double loss(String line) {
        return Double.parseDouble(line.replaceFirst(".*\"loss\":([-0-9.eE]+).*", "$1"));
    }

    @Test
    void whatMakesNoSenseIsOneLine() {
        assertThatThrownBy(() -> Firn.train(options("ranks", 3), folder.resolve("a"))).isInstanceOf(UserError.class)
                .hasMessage("--batch 8 cannot be shared by 3 ranks; give --batch 6 or 9");
        assertThatThrownBy(() -> Firn.train(options("ranks", 0), folder.resolve("b"))).isInstanceOf(UserError.class)
                .hasMessageContaining("--ranks");
        assertThatThrownBy(() -> Firn.train(options("ranks", 2, "device", "cuda:0,1,2"), folder.resolve("c")))
                .isInstanceOf(UserError.class).hasMessageContaining("a rank a device");
        for (String device : List.of("cuda:1,1", "cuda:0")) {
            assertThatThrownBy(() -> Firn.train(options("ranks", 2, "device", device), folder.resolve("d"))).isInstanceOf(UserError.class)
                    .hasMessage("--device %s for 2 ranks: each needs a GPU of its own, such as --device cuda:0,1", device);
        }
        assertThat(folder.resolve("a")).doesNotExist();
    }
}
