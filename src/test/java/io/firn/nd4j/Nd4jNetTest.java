package io.firn.nd4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.train.TinyData;
import io.firn.weights.Safetensors;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** ND4J's arrays and Firn's memory in one process: {@code mvn test -Pnd4j -Dtest=Nd4jNetTest}. */
class Nd4jNetTest {
    private static final int BATCH = 4;
    @TempDir
    static Path shared;
    private static Path run;

    @BeforeAll
    static void train() throws ReflectiveOperationException {
        boolean there = true;
        try {
            Class.forName("org.nd4j.linalg.cpu.nativecpu.CpuBackend");
        } catch (ClassNotFoundException e) {
            there = false;
            System.out.println("Nd4jNetTest is skipped: nd4j-native is not on the class path; mvn -Pnd4j puts it there");
        }
        assumeTrue(there, "nd4j-native is not on the class path");
        run = shared.resolve("run");
        Firn.train(Map.of("data", TinyData.idx(shared.resolve("data"), 32, 0, 4).toString(), "model", "resnet20", "depth", 0.3,
                "max-steps", 3, "batch", 8, "threads", 1, "deterministic", true), run);
    }

    private static Nd4jNet open() {
        return Nd4jNet.open(run, BATCH, Map.of("threads", 1));
    }

    private static INDArray images() {
        float[] values = new float[BATCH * TinyData.SIDE * TinyData.SIDE];
        for (int i = 0; i < values.length; i++) {
            values[i] = i * 7 % 256;
        }
        return Nd4j.createFromArray(values).reshape(BATCH, TinyData.SIDE, TinyData.SIDE, 1).castTo(DataType.UINT8);
    }

    @Test
    void logitsAreTheHeadsProductOfTheFeatures() {
        try (Nd4jNet net = open()) {
            net.run(images());
            Map<String, INDArray> weights = net.weights();
            // ND4J computes the last layer itself, from memory that is Firn's.
            INDArray product = net.features().mmul(weights.get("fc.weight").transpose()).addRowVector(weights.get("fc.bias"));
            assertThat(net.features().shape()).containsExactly(BATCH, 64);
            assertThat(product.distance2(net.logits())).isCloseTo(0, within(1e-4));
            assertThat(net.logits().norm2Number().doubleValue()).isGreaterThan(0.01);
        }
    }

    @Test
    void memoryIsShared() {
        try (Nd4jNet net = open()) {
            net.run(images());
            INDArray kept = net.logits().dup();
            INDArray lent = net.logits();
            net.images().assign(0);
            net.run();
            assertThat(lent).as("an array that is lent is what the last run made").isEqualTo(net.logits()).isNotEqualTo(kept);
            net.images().assign(images());
            net.run();
            assertThat(lent).as("written in place or copied in").isEqualTo(kept);
            INDArray turned = images().permute(0, 3, 1, 2).dup('c').permute(0, 2, 3, 1);
            net.run(turned);
            assertThat(lent).as("channels first, seen as channels last").isEqualTo(kept);
        }
    }

    @Test
    void weightsComeAndGo() {
        try (Nd4jNet net = open()) {
            var file = Safetensors.read(run.resolve("weights.safetensors"));
            assertThat(net.weights().keySet()).containsAll(file.tensors().keySet().stream()
                    .filter(name -> !name.endsWith("num_batches_tracked")).toList());
            assertThat(net.weights().get("conv1.weight").shape()).containsExactly(16, 1, 3, 3);
            assertThat(net.weights().get("conv1.weight").dup().data().asFloat())
                    .isEqualTo(file.tensors().get("conv1.weight").data());
            net.run(images());
            INDArray before = net.logits().dup();
            net.setWeight("fc.bias", net.weights().get("fc.bias").add(1));
            net.run(images());
            assertThat(net.logits().sub(before).sub(1).norm2Number().doubleValue()).isCloseTo(0, within(1e-4));
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Nd4jNet net = open()) {
            assertThatThrownBy(() -> net.run(images().castTo(DataType.FLOAT))).isInstanceOf(UserError.class)
                    .hasMessageContaining("UINT8 [4, 12, 12, 1]").hasMessageContaining("not FLOAT");
            assertThatThrownBy(() -> net.run(images().reshape(BATCH, 1, TinyData.SIDE, TinyData.SIDE)))
                    .hasMessageContaining("[4, 1, 12, 12]");
            assertThatThrownBy(() -> net.setWeight("fc.bais", Nd4j.zeros(4))).hasMessageContaining("fc.bais: no weight");
            assertThatThrownBy(() -> net.setWeight("fc.bias", Nd4j.zeros(DataType.FLOAT, 5)))
                    .hasMessageContaining("not FLOAT [5]");
        }
    }
}
