package io.firn.backend.cuda;

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
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class CudaBytesTest {
    @Test
    void show() throws Exception {
        for (String[] m : new String[][] {{"resnet50", "BF16"}, {"efficientnet_b0", "BF16"}, {"resnet50", "FP16"}}) {
            Model model = Models.build(m[0], ModelOptions.defaults().withBatch(256));
            long t = System.nanoTime();
            Plan p = new Planner(CudaTarget.of("h100", _ -> List.of()), new CudaKernels()).plan(new PlanRequest("train", model.graph(),
                    model.preset().mean(), model.preset().std(), Precision.valueOf(m[1]), Optional.of(new PlanRequest.Training(Set.of(),
                    _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0)))).plans().getFirst();
            System.out.printf("%s %s: %.1f MB/image, %d launches, %.2f ms, scratch %.2f GB live %.2f, %.2f s%n", m[0], m[1], p.bytes() / 256e6, p.launches().size(), p.predictedMs(), p.scratch() / 1e9, p.liveBytes() / 1e9,
                    (System.nanoTime() - t) / 1e9);
            TreeMap<String, double[]> by = new TreeMap<>();
            StringBuilder all = new StringBuilder();
            for (Launch l : p.launches()) {
                double[] d = by.computeIfAbsent(l.kernel().name() + " " + l.op(), _ -> new double[2]);
                d[0]++;
                d[1] += l.bytes() / 256e6;
                all.append("%-30s %-8s %-60s %8.3f %s\n".formatted(l.name(), l.phase().label(), l.op(), l.bytes() / 256e6, l.reason()));
            }
            by.forEach((k, v) -> System.out.printf("%8.2f %4.0f %s%n", v[1], v[0], k));
            java.nio.file.Files.writeString(java.nio.file.Path.of("/tmp/gpuplan/" + m[0] + m[1] + ".txt"), all.toString());
        }
    }
}
