package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.backend.cuda.CudaKernels;
import io.firn.backend.cuda.CudaTarget;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Exchanged;
import io.firn.plan.PlanReport;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.Target;
import io.firn.train.Config;
import io.firn.train.StepRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The table of docs/cluster.md about many GPUs is what the plans predict, or was not long ago. */
class ClusterPageTest {
    private static final int SHARE = 256;

    /** Of a model's step on that many GPUs. */
    private record Case(String model, int ranks, boolean syncNorms) {
        PlanReport report(Map<String, Object> options) {
            Target target = CudaTarget.of("h100", _ -> List.of());
            Model m = Models.build(model, ModelOptions.defaults().withBatch(SHARE));
            StepRequest request = StepRequest.of(m, StepRequest.Mode.TRAIN, Config.of(options), Ranks.of(ranks, syncNorms));
            Program program = new Planner(target, CudaKernels.unchecked()).plan(request.planned(Precision.BF16)
                    .toArray(PlanRequest[]::new));
            return PlanReport.of(model, program, request.step(program), Optional.empty());
        }

        String row() {
            PlanReport report = report(Map.of());
            Exchanged e = report.exchanged();
            return String.format(Locale.ROOT, "| %s%s | %,d | %d | %.1f | %.2f | %.2f | %.2f | %.1f %% |", model,
                    syncNorms ? ", `--sync-bn`" : "", ranks, e.launches(), e.wireBytes() / 1e6, report.predictedMs(), e.ms(),
                    e.exposedMs(), 100 * e.efficiency());
        }
    }

    @Test
    void manyGpus() throws IOException {
        List<String> page = Files.readAllLines(Path.of("docs/cluster.md"));
        for (Case c : List.of(new Case("resnet50", 8, false), new Case("resnet50", 1000, false), new Case("resnet50", 1000, true),
                new Case("efficientnet_b0", 1000, false))) {
            String predicted = c.row();
            // What a better plan changes a little is no reason to print the page anew.
            assertThat(page).as("write: " + predicted).anyMatch(line -> isAbout(predicted, line));
        }
    }

    /** Each micro-batch's gradients are exchanged: figures are those of a step, which is several of them. */
    @Test
    void aStepOfSeveralBatches() {
        Case c = new Case("resnet20", 8, false);
        Exchanged one = c.report(Map.of()).exchanged();
        Exchanged three = c.report(Map.of("grad-accumulation", 3)).exchanged();
        assertThat(three.launches()).isEqualTo(3 * one.launches());
        assertThat(three.bytes()).isEqualTo(3 * one.bytes());
        assertThat(three.wireBytes()).isEqualTo(3 * one.wireBytes());
        assertThat(three.ms()).isCloseTo(3 * one.ms(), within(1e-9));
        assertThat(three.efficiency()).isBetween(0.0, 1.0);
    }

    private static boolean isAbout(String row, String line) {
        String[] a = row.split("\\|");
        String[] b = line.split("\\|");
        return a.length == b.length && a[1].equals(b[1]) && a[2].equals(b[2])
                && IntStream.range(3, a.length).allMatch(i -> Math.abs(number(a[i]) - number(b[i]))
                <= 0.1 * number(a[i]) + 0.1);
    }

    private static double number(String cell) {
        return Double.parseDouble(cell.replaceAll("[^0-9.]", ""));
    }
}
