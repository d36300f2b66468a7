package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.error.UserError;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Engines are chosen by the device's clock, once, and the plan that is loaded has them. */
class CudaTunerTest {
    @TempDir
    Path folder;

    private static List<PlanRequest> requests() {
        Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(2).withResolution(8).withWidth(0.25)
                .withDepth(0.3));
        return List.of(new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16,
                Optional.of(new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1), 0))));
    }

    private static List<String> engines(Program p) {
        return p.plans().getFirst().launches().stream().filter(LaunchBinder::isCudnn).map(l -> l.kernel().implementation())
                .distinct().toList();
    }

    @Test
    void theFastestEngineIsTakenAndKept() {
        Simulator device = SimulatedGpu.idle(1L << 30, 1);
        try (CudaBackend gpu = SimulatedGpu.backend(device, folder)) {
            List<Program> asked = new ArrayList<>();
            Tuned first = gpu.tune(requests(), TuningTable.EMPTY, asked::add);
            assertThat(asked).hasSize(1);
            assertThat(engines(asked.getFirst())).containsExactly("e0");
            assertThat(engines(first.program())).containsExactly("e1");
            assertThat(first.table().choices().values()).isNotEmpty().containsOnly("e1 7=2");
            assertThat(device.leaked()).isEmpty();

            Tuned again = gpu.tune(requests(), first.table(), asked::add);
            assertThat(asked).as("nothing is measured twice").hasSize(1);
            assertThat(again.table()).isEqualTo(first.table());
            assertThat(engines(again.program())).containsExactly("e1");

            Tuned refused = gpu.tune(requests(), TuningTable.EMPTY, _ -> false);
            assertThat(engines(refused.program())).containsExactly("e0");
            assertThat(engines(gpu.plan(TuningTable.DETERMINISTIC, requests()))).containsExactly("e0");

            assertThat(milliseconds(gpu, first.program())).isLessThan(milliseconds(gpu, refused.program()));
        }
    }

    @Test
    void anEngineThatBreaksTheDeviceEndsTheMeasuring() {
        Simulator device = SimulatedGpu.idle(1L << 30, 1);
        CudaBackend gpu = SimulatedGpu.backend(device, folder);
        device.failWork(20);
        assertThatThrownBy(() -> gpu.tune(requests(), TuningTable.EMPTY, _ -> true)).isInstanceOf(UserError.class)
                .hasMessageContaining("of cuDNN broke the device").hasMessageContaining("CUDA_ERROR_SIMULATED");
        assertThat(device.leaked()).isEmpty();
    }

    /** Of cuDNN's launches in a step, by the simulated clock: the loaded plans are those of the chosen engines. */
    private static long milliseconds(CudaBackend gpu, Program program) {
        Plan plan = program.plans().getFirst();
        long[] sum = {0};
        try (Session session = gpu.load(program)) {
            session.step(plan);
            session.step(plan, (launch, start, end) -> sum[0] += LaunchBinder.isCudnn(launch) ? end - start : 0);
        }
        return sum[0] / 1_000_000;
    }
}
