package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Vector primitives against scalar definitions. */
class SimdTest {

    @Test
    void roundsToBf16LikeTheScalarRule() {
        Random random = new Random(1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment f = arena.allocate(4L * Simd.LANES, 64);
            MemorySegment h = arena.allocate(2L * Simd.LANES, 64);
            for (int i = 0; i < 20_000; i++) {
                for (int l = 0; l < Simd.LANES; l++) {
                    // Any bits, ties often, infinities sometimes.
                    int bits = l % 3 == 0 ? random.nextInt() & 0xFFFF8000 : l % 3 == 1 ? random.nextInt() : 0x7F7F8000 + random.nextInt(3);
                    f.setAtIndex(ValueLayout.JAVA_INT, l, bits);
                }
                Simd.storePart(Simd.load(f.address()), h.address(), Simd.LANES, true);
                for (int l = 0; l < Simd.LANES; l++) {
                    float x = f.getAtIndex(ValueLayout.JAVA_FLOAT, l);
                    short y = h.getAtIndex(ValueLayout.JAVA_SHORT, l);
                    if (!Float.isNaN(x)) {
                        assertThat(y).isEqualTo(DType.floatToBf16(x));
                    }
                }
                if (i == 0) {
                    Simd.storePart(Simd.of(Float.NaN), h.address(), Simd.LANES, true);
                    assertThat(DType.bf16ToFloat(h.getAtIndex(ValueLayout.JAVA_SHORT, 0))).isNaN();
                }
                Simd.store(Simd.loadBf16(h.address()), f.address());
                assertThat(f.getAtIndex(ValueLayout.JAVA_INT, 1)).isEqualTo(h.getAtIndex(ValueLayout.JAVA_SHORT, 1) << 16);
            }
        }
    }

    /** Many layers add a bias up: it must be far below the rounding of a single value, 6e-8. */
    @Test
    void sigmoidHasNoBias() {
        double sum = 0;
        int n = 0;
        for (double d = -8; d < 8; d += 0.000317) {
            float x = (float) d;
            double expected = 1 / (1 + Math.exp(-(double) x));
            sum += Simd.sigmoid(Simd.of(x), false).lane(0) / expected - 1;
            n++;
        }
        assertThat(sum / n).as("mean relative error").isBetween(-3e-9, 3e-9);
    }

    @Test
    void sigmoidIsExactToFourUnits() {
        double worst = 0;
        double worstRough = 0;
        for (double d = -85; d < 100; d += 0.00371) {
            float x = (float) d;
            double expected = 1 / (1 + Math.exp(-(double) x));
            worst = Math.max(worst, Math.abs(Simd.sigmoid(Simd.of(x), false).lane(0) - expected) / Math.ulp((float) expected));
            worstRough = Math.max(worstRough, Math.abs(Simd.sigmoid(Simd.of(x), true).lane(0) / expected - 1));
        }
        assertThat(worst).as("units in the last place").isLessThan(4);
        assertThat(worstRough).isLessThan(1e-4);
        assertThat(Simd.sigmoid(Simd.of(-1e10f), false).lane(0)).isBetween(-1e-37f, 1e-37f);
        assertThat(Simd.sigmoid(Simd.of(1e10f), false).lane(0)).isEqualTo(1f);
        assertThat(Simd.sigmoid(Simd.of(Float.NaN), false).lane(0)).isNaN();
    }
}
