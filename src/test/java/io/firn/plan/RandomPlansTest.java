package io.firn.plan;

import io.firn.graph.Graph;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random networks and freeze sets: whatever is planned computes what the model means. */
class RandomPlansTest {

    static LongStream seeds() {
        return LongStream.range(0, 60);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void planComputesWhatTheModelMeans(long seed) {
        Graph model = RandomNet.build(seed);
        Random random = new Random(seed);
        Set<String> frozen = RandomNet.freeze(model, random, seed % 3 == 0 ? 0 : random.nextDouble());
        Kernels kernels = PlanRuns.CATALOGUES.get(random.nextInt(PlanRuns.CATALOGUES.size()));
        Precision precision = random.nextBoolean() ? Precision.FP32 : Precision.BF16;
        PlanRuns.compare(kernels, 3, PlanRuns.train(model, frozen, precision), PlanRuns.evaluate(model));
    }
}
