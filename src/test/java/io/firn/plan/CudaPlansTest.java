package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Graph;
import io.firn.graph.Phase;
import io.firn.graph.Scaling;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Magnitudes;
import io.firn.oracle.Tolerance;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Plans for GPUs, executed without one: what they compute in their own arenas is what the model means. */
class CudaPlansTest {
    private static final Kernels CUDA = CudaKernels.unchecked();

    /** A net with all the kinds of blocks that the full one has, of a few channels. */
    private static Graph small(String name, int batch) {
        ModelOptions o = ModelOptions.defaults().withBatch(batch).withResolution(64).withClasses(5).withWidth(0.0625);
        return Models.build(name, name.startsWith("efficientnet") ? o.withResolution(40).withWidth(0.25).withDropPath(0.3)
                : o).graph();
    }

    private static Set<String> ops(Graph model, Precision p) {
        Set<String> ops = new TreeSet<>();
        PlanRuns.program(CUDA, PlanRuns.train(model, Set.of(), p)).plans().getFirst().launches().forEach(l -> ops.add(l.op()));
        return ops;
    }

    @ParameterizedTest
    @CsvSource({"resnet50, BF16", "resnet50, FP16", "efficientnet_b0, BF16"})
    void tenSteps(String name, Precision p) {
        Graph model = small(name, 2);
        Graph full = Models.build(name, ModelOptions.defaults().withBatch(256)).graph();
        assertThat(ops(model, p)).as("what the full net's plan fuses is all there").containsAll(ops(full, p));
        PlanRuns.compare(CUDA, 10, PlanRuns.train(model, Set.of(), p));
    }

    private static Plan plan(PlanRequest.Extras extras, Precision precision) {
        PlanRequest plain = PlanRuns.train(ModelPlansTest.tiny("resnet20"), Set.of());
        var training = plain.training().orElseThrow();
        return PlanRuns.program(CUDA, new PlanRequest("train", plain.model(), plain.mean(), plain.std(), precision,
                Optional.of(new PlanRequest.Training(training.frozen(), training.optimizer(), 0.1, extras)))).plans().getFirst();
    }

    @Test
    void mixedImagesTakeTheSameLoss() {
        assertThat(plan(new PlanRequest.Extras(true, 0, 0, 1, PlanRequest.Part.WHOLE), Precision.FP32).launches())
                .as("with a partner's label and its share")
                .filteredOn(l -> l.kernel().equals(Kernel.own("cross_entropy"))).isNotEmpty()
                .allMatch(l -> l.inputs().size() == 4);
    }

    /** One launch for the norm, one for the steps with their averages. */
    @ParameterizedTest
    @EnumSource(Precision.class)
    void theUpdateIsOneLaunch(Precision p) {
        Plan plan = plan(new PlanRequest.Extras(false, 0.99, 1, 1, PlanRequest.Part.WHOLE), p);
        assertThat(plan.launches().stream().filter(l -> l.phase() == Phase.OPTIMIZER)).extracting(l -> l.kernel().name())
                .containsExactly("clip", "update");
        assertThat(plan.graph().states().stream().anyMatch(s -> s.name().equals(Scaling.STATE)))
                .as("a scaled loss").isEqualTo(p == Precision.FP16);
        assertThat(plan.launches()).as("what scales the gradient is no launch of its own")
                .noneMatch(l -> l.op().equals("loss_scale"));
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void everyPrecision(Precision p) {
        for (String name : List.of("resnet20", "efficientnet_b0")) {
            PlanRuns.compare(CUDA, 2, PlanRuns.train(ModelPlansTest.tiny(name), Set.of(), p),
                    PlanRuns.evaluate(ModelPlansTest.tiny(name)));
        }
    }

    @Test
    void randomNets() {
        for (long seed = 0; seed < 30; seed++) {
            Random random = new Random(seed);
            Graph model = RandomNet.build(seed);
            Precision p = Precision.values()[random.nextInt(Precision.values().length)];
            PlanRuns.compare(CUDA, 2, PlanRuns.train(model, RandomNet.freeze(model, random, random.nextDouble()), p),
                    PlanRuns.evaluate(model));
        }
    }

    @Test
    void frozenParts() {
        for (String name : List.of("resnet50", "efficientnet_b0")) {
            Graph model = small(name, 2);
            List<String> names = PlanRuns.names(model, State.Kind.PARAMETER);
            Random random = new Random(1);
            for (int i = 0; i < 2; i++) {
                Set<String> frozen = i % 2 == 0 ? new HashSet<>(names.subList(0, random.nextInt(names.size())))
                        : RandomNet.freeze(model, random, 0.5);
                PlanRuns.compare(CUDA, 2, PlanRuns.train(model, frozen, Precision.BF16));
            }
        }
    }

    @Test
    void aFrozenPrefixIsInference() {
        Graph model = small("resnet50", 2);
        Set<String> frozen = new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER));
        frozen.removeIf(n -> n.startsWith("fc"));
        Plan plan = PlanRuns.program(CUDA, PlanRuns.train(model, frozen, Precision.BF16)).plans().getFirst();
        assertThat(plan.launches()).extracting(Launch::op).contains("conv+relu", "conv+add+relu")
                .noneMatch(op -> op.contains("bn_"));
        assertThat(plan.launches()).as("frozen weights are cast once").noneMatch(l -> l.op().equals("cast"));
    }

    /** Every store, and everything that is handed on inside a launch, rounded to its type. */
    @ParameterizedTest
    @CsvSource({"resnet50, BF16", "resnet50, FP16", "efficientnet_b0, BF16", "efficientnet_b0, FP32"})
    void everyLaunchWithinItsTolerance(String name, Precision p) {
        Graph model = small(name, 3);
        Plan plan = PlanRuns.program(CUDA, PlanRuns.train(model, Set.of(), p)).plans().getFirst();
        Map<String, double[]> given = new TreeMap<>(PlanRuns.states(model));
        plan.graph().states(State.Kind.OPTIMIZER).forEach(s ->
                given.put(s.name(), new double[(int) s.value().shape().elements()]));
        // A net that was not trained has gradients that the first scale would drive out of f16.
        given.put(Scaling.STATE, new double[] {-Scaling.FIRST, 0, 0});
        given.putAll(PlanRuns.inputs(model, 0));
        Map<Value, double[]> stored = GraphOracle.evaluate(plan.graph(), given, GraphOracle.Precision.STORED).values();
        Tolerance tolerance = Tolerance.of(p.activation());
        for (Launch l : plan.launches()) {
            Map<Value, double[]> exact = new HashMap<>();
            l.subgraph().inputs().forEach(v -> exact.put(v, stored.get(v)));
            Map<Value, double[]> magnitudes = Magnitudes.of(l.subgraph().nodes(), Map.copyOf(exact), tolerance);
            GraphOracle.run(l.subgraph().nodes(), exact, GraphOracle.Precision.EXACT);
            for (Value v : l.subgraph().outputs()) {
                assertThat(Tolerance.error(stored.get(v), exact.get(v), magnitudes.get(v))).as("%s of %s", v, l.name())
                        .isLessThanOrEqualTo(tolerance.share());
            }
        }
    }
}
