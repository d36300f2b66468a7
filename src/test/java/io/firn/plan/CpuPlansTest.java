package io.firn.plan;

import io.firn.backend.cpu.CpuBackend;
import io.firn.graph.Graph;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Plans made with the CPU's own catalogue compute what the model means, whatever its kernels do with them. */
class CpuPlansTest {
    private static CpuBackend cpu;

    @BeforeAll
    static void open() {
        cpu = CpuBackend.open(1);
    }

    @AfterAll
    static void close() {
        cpu.close();
    }

    @Test
    void randomNets() {
        for (long seed = 0; seed < 40; seed++) {
            Random random = new Random(seed);
            Graph model = RandomNet.build(seed);
            Set<String> frozen = RandomNet.freeze(model, random, random.nextDouble());
            compare(model, frozen, random.nextBoolean() ? Precision.FP32 : Precision.BF16);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet20", "efficientnet_b0"})
    void models(String name) {
        compare(ModelPlansTest.tiny(name), Set.of(), Precision.FP32);
        compare(ModelPlansTest.tiny(name), Set.of(), Precision.BF16);
    }

    private static void compare(Graph model, Set<String> frozen, Precision p) {
        PlanRuns.compare(cpu.kernels(TuningTable.EMPTY), 2, PlanRuns.train(model, frozen, p), PlanRuns.evaluate(model));
    }
}
