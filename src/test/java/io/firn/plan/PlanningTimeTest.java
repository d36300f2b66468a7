package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Graph;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The largest models are planned in the time of a few steps. */
class PlanningTimeTest {
    /** Of this thread's own, whatever else the machine does: what fails is a pass whose time grows with the net's square. */
    private static final double MOST_SECONDS = 4;
    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

    @ParameterizedTest
    @ValueSource(strings = {"resnet152", "efficientnet_b7"})
    void largestModels(String name) {
        Graph model = Models.build(name, ModelOptions.defaults().withBatch(8)).graph();
        Kernels greedy = new GreedyKernels(Layout.NHWC);
        for (Kernels kernels : List.of(greedy, greedy, CudaKernels.unchecked())) {
            long start = CLOCK.getCurrentThreadCpuTime();
            Program p = PlanRuns.program(kernels, PlanRuns.train(model, Set.of()), PlanRuns.evaluate(model));
            double seconds = (CLOCK.getCurrentThreadCpuTime() - start) / 1e9;
            Plan train = p.plan("train");
            System.out.printf("%s: planned in %.2f s: %d nodes, %d launches, scratch %.1f MB, live %.1f MB%n", name, seconds,
                    train.graph().nodes().size(), train.launches().size(), train.scratch() / 1e6, train.liveBytes() / 1e6);
            assertThat(seconds).isLessThan(MOST_SECONDS);
        }
    }
}
