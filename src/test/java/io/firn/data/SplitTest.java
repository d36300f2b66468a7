package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Dividing a set: by class, repeatably, and without overlap. */
class SplitTest {
    private static int[] values(Dataset part) {
        return IntStream.range(0, part.size()).map(i -> {
            try {
                return part.image(i).pixels()[0] & 0xFF;
            } catch (DamagedImage e) {
                throw new AssertionError(e);
            }
        }).toArray();
    }

    @Test
    void takesTheSameShareOfEachClass() {
        Splits splits = Datasets.split(new Samples.Fake(200), 0.1, 1);
        Dataset validation = splits.validation().orElseThrow();
        assertThat(IntStream.range(0, validation.size()).filter(i -> validation.label(i) == 0).count()).isEqualTo(10);
        assertThat(validation.size()).isEqualTo(20);
        assertThat(IntStream.concat(IntStream.of(values(splits.train())), IntStream.of(values(validation))).sorted())
                .containsExactly(IntStream.range(0, 200).boxed().toArray(Integer[]::new));
    }

    @Test
    void theSeedDecides() {
        assertThat(values(Datasets.split(new Samples.Fake(200), 0.1, 1).train())).isEqualTo(values(Datasets.split(new Samples.Fake(200), 0.1, 1).train()));
        assertThat(values(Datasets.split(new Samples.Fake(200), 0.1, 1).train())).isNotEqualTo(values(Datasets.split(new Samples.Fake(200), 0.1, 2).train()));
        assertThat(Stream.of(1, 2).map(seed -> Datasets.split(new Samples.Fake(200), 0.1, seed).train().fingerprint()).distinct()).hasSize(2);
    }

    @Test
    void impossibleFractionsAreRefused() {
        assertThatThrownBy(() -> Datasets.split(new Samples.Fake(10), 0, 1)).hasMessageContaining("not between 0 and 1");
        assertThatThrownBy(() -> Datasets.split(new Samples.Fake(10), Double.NaN, 1)).hasMessageContaining("not between 0 and 1");
        assertThatThrownBy(() -> Datasets.split(new Samples.Fake(10), 0.01, 1)).hasMessageContaining("larger fraction");
    }
}
