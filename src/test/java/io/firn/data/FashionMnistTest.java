package io.firn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The real Fashion-MNIST, where this machine has it. */
class FashionMnistTest {
    @Test
    void opensUnderItsNameAndByItsPath() {
        var folder = FashionMnist.locate();
        if (folder.isEmpty()) {
            System.out.println("skipped: Fashion-MNIST is not on this machine (firn data fetch fashion-mnist)");
        }
        assumeTrue(folder.isPresent(), "Fashion-MNIST is not on this machine");
        Splits splits = Datasets.open("fashion-mnist");
        Dataset train = splits.train();
        assertThat(train.size()).isEqualTo(60_000);
        assertThat(splits.validation().orElseThrow().size()).isEqualTo(10_000);
        assertThat(train.classes()).hasSize(10).startsWith("T-shirt/top").endsWith("Ankle boot");
        assertThat(train.normalization()).contains(Normalization.FASHION_MNIST);
        assertThat(IntStream.range(0, 10).map(train::label)).containsExactly(9, 0, 0, 3, 0, 2, 7, 2, 5, 5);
        Dataset byPath = Datasets.open(folder.get().toString()).train();
        assertThat(byPath.classes()).isEqualTo(train.classes());
        assertThat(byPath.fingerprint()).isEqualTo(train.fingerprint());
        double sum = 0;
        for (int i = 0; i < train.size(); i += 10) {
            for (byte b : ((Idx) train).image(i).pixels()) {
                sum += b & 0xFF;
            }
        }
        assertThat(sum / 6_000 / 784 / 255).isBetween(0.281, 0.291);
    }
}
