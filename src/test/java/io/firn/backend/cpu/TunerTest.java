package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Tuned;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Kernel;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.TuningTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Tuning: what is measured, what is looked up, and that the program is the one that the choices make. */
class TunerTest {

    private static PlanRequest request() {
        return request(2, 8);
    }

    private static PlanRequest request(int batch, int resolution) {
        Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(batch).withResolution(resolution));
        Update sgd = new Update.Sgd(0.9, 1e-4, false, 1);
        return new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.FP32,
                Optional.of(new PlanRequest.Training(Set.of(), _ -> sgd, 0)));
    }

    private static List<Kernel> kernels(Program p) {
        return p.plans().getFirst().launches().stream().map(Launch::kernel).toList();
    }

    @Test
    void measuresWhatIsUnknownOnce() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            List<Program> asked = new ArrayList<>();
            Tuned first = cpu.tune(List.of(request()), TuningTable.EMPTY, asked::add);
            assertThat(asked).hasSize(1);
            Program estimated = new Planner(cpu.target(), cpu.kernels(TuningTable.EMPTY)).plan(request());
            assertThat(kernels(asked.getFirst())).isEqualTo(kernels(estimated));

            Tuned again = cpu.tune(List.of(request()), first.table(), asked::add);
            assertThat(asked).as("nothing is left to measure").hasSize(1);
            assertThat(again.table()).isEqualTo(first.table());
            assertThat(kernels(again.program())).isEqualTo(kernels(first.program()))
                    .isEqualTo(kernels(new Planner(cpu.target(), cpu.kernels(first.table())).plan(request())));
        }
    }

    /** Whole steps decide on the layout, and a rank that tunes has no others to exchange with. */
    @Test
    void stepsOfSeveralRanksAreMeasuredOnOne() {
        PlanRequest r = request(256, 32);
        PlanRequest two = new PlanRequest(r.name(), r.model(), r.mean(), r.std(), r.precision(),
                r.training().map(t -> t.on(Ranks.of(2, true))), r.averaged(), r.cut());
        try (CpuBackend cpu = CpuBackend.open(2)) {
            Tuned t = cpu.tune(List.of(two), TuningTable.EMPTY, _ -> true);
            assertThat(t.program().plans().getFirst().launches()).anyMatch(l -> l.kernel().name().equals(CpuKernels.ALL_REDUCE));
            if (cpu.defaultLayout().equals(Layout.BLOCKED16)) {
                assertThat(t.program().plans().getFirst().predictedMs()).as("long enough to be measured").isGreaterThan(100);
                assertThat(t.table().choices().keySet()).filteredOn(k -> k.startsWith(TuningTable.LAYOUT)).hasSize(2);
            }
        }
    }

    @Test
    void choosesByEstimateWhereItMayNotMeasure() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            Tuned t = cpu.tune(List.of(request()), TuningTable.EMPTY, _ -> false);
            assertThat(t.table().choices()).containsOnlyKeys(TuningTable.LAYOUT);
            assertThat(kernels(t.program())).isEqualTo(kernels(new Planner(cpu.target(), cpu.kernels(TuningTable.EMPTY))
                    .plan(request())));
        }
    }
}
