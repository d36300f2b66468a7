package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Backend;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a training is said to cost is what it does. */
class PriceTest {
    @TempDir
    static Path folder;

    private static Price price(Path data, Map<String, Object> more) {
        Map<String, Object> options = new LinkedHashMap<>(Map.of("data", data.toString(), "model", "resnet20", "depth", 0.3,
                "batch", 4, "precision", "fp32", "epochs", 2, "deterministic", true));
        options.putAll(more);
        return Price.of(Config.of(options), Devices::local, false, _ -> { });
    }

    @Test
    void stepsOfSeveralBatchesAreFewerAndDearer() {
        Path data = TinyData.idx(folder.resolve("data"), 40, 20, 4);
        Price one = price(data, Map.of());
        assertThat(one.steps()).isEqualTo(20);
        assertThat(one.epochs()).isEqualTo(2);
        Price three = price(data, Map.of("grad-accumulation", 3));
        assertThat(three.steps()).as("the last batch of each epoch fills no step").isEqualTo(6);
        assertThat(three.epochs()).isEqualTo(2);
        assertThat(three.flops()).isEqualTo(3 * one.flops());
        assertThat(three.trainMs()).isGreaterThan(2.5 * one.trainMs());
        assertThat(price(data, Map.of("grad-accumulation", 3, "max-steps", 4)).epochs()).isEqualTo(2);
        assertThat(price(data, Map.of("augment-repeats", 2)).steps()).isEqualTo(stepsOf(data, 2));
    }

    @Test
    void growingImagesCostWhatEachSizeDoes() {
        Path data = TinyData.idx(folder.resolve("grow"), 40, 20, 4);
        Price small = price(data, Map.of("resolution", 16));
        Price large = price(data, Map.of("resolution", 24));
        Price both = price(data, Map.of("progressive", "16:24:2", "epochs", 3));
        assertThat(both.resolution()).isEqualTo(24);
        assertThat(both.flops()).as("two epochs of small ones, one of large").isEqualTo(Math.round((2 * small.flops() + large.flops()) / 3.0));
        assertThat(both.trainMs()).isBetween(small.trainMs(), large.trainMs());
        assertThat(price(data, Map.of("progressive", "16:24:2", "epochs", 3, "max-steps", 20)).flops()).isEqualTo(small.flops());
    }

    /** As the training itself counts them. */
    private static long stepsOf(Path data, int repeats) {
        Setup s = Setup.of(Config.of(Map.of("data", data.toString(), "model", "resnet20", "batch", 4, "epochs", 2,
                "augment-repeats", repeats)), Devices::local, _ -> { });
        try (Backend _ = s.backend()) {
            return s.totalSteps();
        }
    }
}
