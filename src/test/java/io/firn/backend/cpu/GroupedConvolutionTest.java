package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.TuningTable;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Grouped convolutions run in a layout for which oneDNN has more than its slow reference, unmeasured too. */
class GroupedConvolutionTest {
    @ParameterizedTest
    @EnumSource(names = {"FP32", "BF16"})
    void noneNeedsTheReference(Precision precision) {
        Model model = Models.build("resnext50_32x4d", ModelOptions.defaults().withBatch(8).withResolution(64));
        var training = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0);
        try (CpuBackend backend = CpuBackend.open(1)) {
            for (Optional<PlanRequest.Training> t : List.of(Optional.of(training), Optional.<PlanRequest.Training>empty())) {
                Plan plan = new Planner(backend.target(), backend.kernels(TuningTable.EMPTY)).plan(new PlanRequest("p",
                        model.graph(), model.preset().mean(), model.preset().std(), precision, t)).plan("p");
                assertThat(plan.launches().stream().map(Launch::kernel).filter(k -> k.name().startsWith("convolution")))
                        .isNotEmpty().allSatisfy(k -> assertThat(k.implementation()).doesNotStartWith("ref"));
            }
        }
    }
}
