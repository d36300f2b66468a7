package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.cudnn.LibraryEngines;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Target;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Training plans have launches of cuDNN's only that it finished an engine for. Asked without a device: minutes a plan. */
@Tag("slow")
class PlansEnginesTest {
    @BeforeAll
    static void load() {
        CudaFixture.loadCudnn();
    }

    private static Plan plan(String name, String device, Precision p, int batch) {
        Model m = Models.build(name, ModelOptions.defaults().withBatch(batch));
        Target target = CudaTarget.of(device, _ -> List.of());
        var engines = new LibraryEngines(((Target.Device.Gpu) target.device()).properties(), false,
                PlanningEngines.versions(CudaFixture.libraries()), CudaFixture.cache().resolve("cudnn"));
        return new CheckedPlans(target, engines, _ -> { }).plan(List.of(new PlanRequest("train", m.graph(), m.preset().mean(),
                m.preset().std(), p, Optional.of(new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0)))))
                .plans().getFirst();
    }

    private static void everyLaunchHasAnEngine(Plan plan) {
        List<Launch> launches = plan.launches().stream().filter(l -> l.kernel().library().equals(CudaKernels.CUDNN)).toList();
        assertThat(launches).isNotEmpty().allSatisfy(l -> assertThat(l.kernel().implementation()).as("%s, %s", l.name(), l.op())
                .matches("e\\d+R?"));
    }

    @ParameterizedTest
    @CsvSource({"resnet18, h100, FP16", "resnet18, a100, BF16", "resnext50_32x4d, a100, BF16", "resnext50_32x4d, h100, FP16",
        "efficientnet_b0, h100, BF16", "efficientnet_b0, a100, FP16"})
    void areWhole(String name, String device, Precision p) {
        everyLaunchHasAnEngine(plan(name, device, p, 32));
    }

    /** Counted with the workspaces of the engines that were found. */
    @ParameterizedTest
    @CsvSource({"resnet50, BF16, 300", "resnet50, FP16, 280", "efficientnet_b0, BF16, 170"})
    void megabytesAnImage(String name, Precision p, double most) {
        Plan plan = plan(name, "h100", p, 256);
        everyLaunchHasAnEngine(plan);
        System.out.printf("%s %s: %.1f MB an image with engines asked%n", name, p.label(), plan.bytes() / 1e6 / 256);
        assertThat(plan.bytes() / 1e6 / 256).isLessThanOrEqualTo(most);
    }
}
