package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Phase;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.PlanRequest.Extras;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Ranks;
import io.firn.plan.TuningTable;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Where the optimizer's launches stand in a step. That none comes before a reader of the old weights, planning itself checks. */
class UpdateOrderTest {
    private static final int LARGEST = 4 * 512 * 512 * 9;

    @Test
    void gradientsEndBeforeThoseOfTheLayersBelowAreMade() {
        Plan plan = plan(Extras.NONE, Ranks.ONE);
        int first = updates(plan).getFirst();
        assertThat(plan.launches().subList(first, plan.launches().size()))
                .anyMatch(l -> l.phase() == Phase.BACKWARD && l.name().equals("layer1.0.conv1.wgrad"));
        // Two launches' at most: those of one that is complete, and of one that is being made.
        assertThat(mostAtOnce(plan)).isLessThan(3L * LARGEST);
        assertThat(updates(plan).stream().mapToInt(i -> plan.launches().get(i).subgraph().nodes().size()).sum())
                .isEqualTo(62);
    }

    @Test
    void whatNeedsAllGradientsStandsAtTheEnd() {
        Plan plan = plan(new Extras(false, 0, 1, 1, PlanRequest.Part.WHOLE), Ranks.ONE);
        assertThat(updates(plan).getFirst()).isEqualTo(plan.launches().size() - updates(plan).size());
    }

    @Test
    void averagesFollowTheirSteps() {
        Plan plan = plan(new Extras(false, 0.9, 0, 1, PlanRequest.Part.WHOLE), Ranks.ONE);
        assertThat(plan.launches().getLast().phase()).isEqualTo(Phase.OPTIMIZER);
        assertThat(updates(plan).stream().flatMap(i -> plan.launches().get(i).subgraph().nodes().stream())
                .filter(n -> n.op() instanceof Update.Average)).hasSize(102);
    }

    @Test
    void ranksDoNotWaitForAnExchangeBeforeTheEnd() {
        Plan plan = plan(Extras.NONE, Ranks.of(2, false));
        int last = IntStream.range(0, plan.launches().size()).filter(i -> plan.launches().get(i).phase() == Phase.BACKWARD)
                .max().orElseThrow();
        assertThat(updates(plan).getFirst()).isGreaterThan(last);
    }

    /** Bytes of gradients between the launch that makes them and the one that reads them last. */
    private static long mostAtOnce(Plan plan) {
        long now = 0;
        long most = 0;
        for (int i = 0; i < plan.launches().size(); i++) {
            Launch l = plan.launches().get(i);
            long bytes = l.subgraph().nodes().stream().filter(n -> n.op() instanceof Update)
                    .mapToLong(n -> n.input(1).type().bytes()).sum();
            now -= bytes;
            for (Value v : l.subgraph().outputs()) {
                now += gradients(plan).contains(v) ? v.type().bytes() : 0;
            }
            most = Math.max(most, now + bytes);
        }
        assertThat(now).isZero();
        return most;
    }

    private static Set<Value> gradients(Plan plan) {
        return updates(plan).stream().flatMap(i -> plan.launches().get(i).subgraph().nodes().stream()).map(n -> n.input(1))
                .collect(Collectors.toSet());
    }

    private static List<Integer> updates(Plan plan) {
        return IntStream.range(0, plan.launches().size()).filter(i -> isUpdate(plan.launches().get(i))).boxed().toList();
    }

    private static boolean isUpdate(Launch l) {
        return l.subgraph().nodes().stream().allMatch(n -> n.op() instanceof Update);
    }

    private static Plan plan(Extras extras, Ranks ranks) {
        Model m = Models.build("resnet18", ModelOptions.defaults().withBatch(4).withResolution(64).withClasses(10));
        PlanRequest request = new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.FP32,
                Optional.of(new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0, extras, ranks)));
        try (CpuBackend backend = CpuBackend.open(2)) {
            return new Planner(backend.target(), backend.kernels(TuningTable.EMPTY)).plan(request).plan("train");
        }
    }
}
