package io.firn.study.schedule;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.firn.backend.cuda.CheckedPlans;
import io.firn.backend.cuda.CudaTarget;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.train.StepRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * An EfficientNet's training step as planned for an H100: kept in a file, since planning the eight takes a minute.
 * {@link PlannedTest} holds the file to the planner.
 *
 * @param milliseconds of a step, predicted
 * @param bytes        of its program
 */
record Planned(String model, int batch, double milliseconds, long bytes) {
    static final Path FILE = Path.of("benchmarks/scheduler/efficientnets-h100.json");
    private static final int IMAGES = 1_281_167;

    static List<Planned> read() throws IOException {
        return JsonMapper.builder().build().readValue(FILE.toFile(), new TypeReference<>() {
        });
    }

    /** Plans all eight. */
    static List<Planned> plan() {
        CheckedPlans plans = new CheckedPlans(CudaTarget.of("h100", _ -> List.of()), Engines.notChecked("not asked"), _ -> { });
        return IntStream.range(0, 8).mapToObj(i -> {
            String model = "efficientnet_b" + i;
            int batch = i < 5 ? 128 : 32;
            Program p = plans.plan(StepRequest.training(Models.build(model, ModelOptions.defaults().withBatch(batch)))
                    .planned(Precision.BF16));
            return new Planned(model, batch, p.plans().getFirst().predictedMs(), p.bytes());
        }).toList();
    }

    /** Seconds of an epoch of ImageNet. */
    double seconds() {
        return milliseconds / 1e3 * (IMAGES / batch);
    }
}
