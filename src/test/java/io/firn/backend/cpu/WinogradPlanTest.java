package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Session;
import io.firn.graph.Rates;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import io.firn.plan.FreezeSpec;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.weights.Initializer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A whole step whose convolutions are Winograd's wherever they can be: two of each direction are held to the oracle. */
class WinogradPlanTest {
    private static final int BATCH = 8;

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FP32", "BF16"})
    void launchesOfAStepAreWithinTheirTolerances(Precision precision) {
        launchesAreWithinTheirTolerances(precision, "none", "winograd_forward", "winograd_dgrad", "winograd_wgrad");
    }

    @Test
    void launchesOfAFrozenNetAreWithinTheirTolerances() {
        launchesAreWithinTheirTolerances(Precision.FP32, "head", "winograd_forward");
    }

    private static void launchesAreWithinTheirTolerances(Precision precision, String freeze, String... expected) {
        Model m = Models.build("resnet18", ModelOptions.defaults().withBatch(BATCH).withResolution(64).withClasses(10));
        Set<String> frozen = FreezeSpec.frozen(freeze, m.graph(), (_, _) -> List.of());
        PlanRequest request = new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), precision,
                Optional.of(new PlanRequest.Training(frozen, _ -> new Update.Sgd(0.9, 1e-4, false, 1), 0)));
        try (CpuBackend backend = CpuBackend.open(2)) {
            TuningTable table = WinogradTables.everywhere(backend, request);
            Program program = new Planner(backend.target(), backend.kernels(table)).plan(request);
            Plan plan = program.plan("train");
            List<String> kernels = plan.launches().stream().map(l -> l.kernel().name()).distinct().toList();
            assertThat(kernels).contains(expected);
            try (Session session = backend.load(program)) {
                fill(session, plan, m);
                Map<String, Integer> checked = new HashMap<>();
                for (Launch l : plan.launches()) {
                    if (l.kernel().name().startsWith("winograd") && checked.merge(l.kernel().name(), 1, Integer::sum) <= 2) {
                        check(session, plan, l, precision == Precision.FP32 ? Tolerance.FP32 : Tolerance.BF16);
                    } else {
                        session.run(plan, l);
                    }
                }
            }
        }
    }

    private static void fill(Session session, Plan plan, Model m) {
        Initializer.initialize(m.graph(), 1, m.initialization()::sampler).forEach(session::writeState);
        Random random = new Random(1);
        MemorySegment pixels = session.input(plan, "pixels");
        for (long i = 0; i < pixels.byteSize(); i++) {
            pixels.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(256));
        }
        for (int i = 0; i < BATCH; i++) {
            session.input(plan, "labels").setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(10));
        }
        session.input(plan, "rates").setAtIndex(ValueLayout.JAVA_FLOAT, Rates.LEARNING_RATE, 0.02f);
        session.input(plan, "rates").setAtIndex(ValueLayout.JAVA_FLOAT, Rates.STEP, 1);
    }

    private static void check(Session session, Plan plan, Launch l, Tolerance tolerance) {
        Map<Value, double[]> in = new HashMap<>();
        for (int i = 0; i < l.subgraph().inputs().size(); i++) {
            in.put(l.subgraph().inputs().get(i), session.read(plan, l, false, i));
        }
        session.run(plan, l);
        Map<Value, double[]> exact = new HashMap<>(in);
        GraphOracle.run(l.subgraph().nodes(), exact, GraphOracle.Precision.EXACT);
        Value result = l.subgraph().outputs().getFirst();
        double error = Tolerance.error(session.read(plan, l, true, 0), exact.get(result),
                Magnitudes.of(l.subgraph().nodes(), in, tolerance).get(result));
        assertThat(error).as(l.name()).isLessThanOrEqualTo(tolerance.share());
    }
}
