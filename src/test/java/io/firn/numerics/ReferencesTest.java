package io.firn.numerics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.graph.Shape;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The generator of the references' inputs against values that the Python script printed. */
class ReferencesTest {
    @Test
    void hashesAndWeightsAreThoseOfTheScript() {
        assertThat(References.fnv("conv1.weight")).isEqualTo(0x69a29a2cee47d254L);
        assertThat(Long.toUnsignedString(References.bits("conv1.weight").nextLong())).isEqualTo("10054858637067198896");
        float[] weight = References.state("conv1.weight", Shape.of(64, 3, 7, 7), "#0", Map.of());
        assertThat(weight).startsWith((float) -0.10120219737291336, (float) -0.17865639925003052);
    }

    @Test
    void statisticsScaleByPowersOfTwo() {
        Shape shape = Shape.of(16);
        for (String name : new String[] {"bn1.running_mean", "bn1.running_var"}) {
            float[] plain = References.state(name, shape, "", Map.of("bn2", 5));
            float[] scaled = References.state(name, shape, "", Map.of("bn1", -3));
            float factor = name.endsWith("mean") ? 0x1p-3f : 0x1p-6f;
            for (int i = 0; i < plain.length; i++) {
                assertThat(scaled[i]).as(name).isEqualTo(factor * plain[i]);
            }
        }
    }

    @Test
    void imagesAndLabelsAreThoseOfTheScript() {
        int first = References.images(2, 64, "")[0] & 0xFF;
        assertThat((first / 255.0 - 0.485) / 0.229).isEqualTo(1.0501755287267744, within(1e-15));
        assertThat(References.labels(8, 10, "#1")).containsExactly(3, 0, 6, 4, 0, 4, 2, 3);
    }
}
