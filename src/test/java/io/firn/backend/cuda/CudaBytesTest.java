package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Phase;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How many bytes an image of a training step moves, counted from plans for an H100: batch norm and activation fused into a
 * pass each way take 376 MB (ResNet-50) and 204 MB (EfficientNet-B0), which is what compilers reach; no plan can do with
 * less than 176 and 89.
 */
class CudaBytesTest {
    private static final int BATCH = 256;

    private static Plan plan(String name, Precision p) {
        Model model = Models.build(name, ModelOptions.defaults().withBatch(BATCH));
        return new Planner(CudaTarget.of("h100", _ -> List.of()), CudaKernels.unchecked()).plan(new PlanRequest("train",
                model.graph(), model.preset().mean(), model.preset().std(), p, Optional.of(new PlanRequest.Training(Set.of(),
                _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0)))).plans().getFirst();
    }

    @ParameterizedTest
    @CsvSource({"resnet50, BF16, 287", "efficientnet_b0, BF16, 170", "resnet50, FP16, 280"})
    void megabytesAnImage(String name, Precision p, double most) {
        Plan plan = plan(name, p);
        double megabytes = plan.bytes() / 1e6 / BATCH;
        System.out.printf("%s %s: %.1f MB an image, %d launches, predicted %.2f ms%n", name, p.label(), megabytes,
                plan.launches().size(), plan.predictedMs());
        assertThat(megabytes).isLessThan(most);
    }

    @Test
    void whatMustBeOneLaunch() {
        List<Launch> launches = plan("resnet50", Precision.BF16).launches();
        assertThat(launches.stream().filter(l -> l.phase() == Phase.OPTIMIZER)).hasSize(1);
        assertThat(launches.stream().filter(l -> l.op().equals("cast"))).hasSize(1);
        assertThat(launches).as("statistics in the epilogue of every convolution").noneMatch(l -> l.op().startsWith("bn_stat"));
        Launch late = launches.stream().filter(l -> l.op().equals("bn_apply+relu+bn_grad_apply")).findFirst().orElseThrow();
        assertThat(late.subgraph().outputs()).as("dy, and the activation for the weight gradient").hasSize(2);
        assertThat(late.reason()).contains("in fp16 only");
    }

    @Test
    void everyLaunchOfCudnnIsOneOfItsGraphs() {
        for (String name : List.of("resnet50", "efficientnet_b0", "resnext50_32x4d", "efficientnet_v2_s")) {
            CudaKernels kernels = CudaKernels.unchecked();
            assertThat(plan(name, Precision.BF16).launches()).filteredOn(l -> l.kernel().library().equals(CudaKernels.CUDNN))
                    .isNotEmpty().noneMatch(l -> kernels.ways(l.subgraph()).isEmpty());
        }
    }
}
