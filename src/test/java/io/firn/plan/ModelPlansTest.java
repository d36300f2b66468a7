package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.graph.Graph;
import io.firn.graph.State;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.PlanOracle;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Plans of the models compute what the models mean, in training and then, over the same memory, in evaluation. */
class ModelPlansTest {

    /** All blocks; of resnet18 half the channels, since all of them take the oracle long. */
    static Graph small(String name) {
        // The last stage's batch norms see 8 values a channel: with the 2 of 32 pixels, derivatives are mostly rounding.
        int resolution = name.equals("resnet20") ? 32 : 64;
        ModelOptions o = ModelOptions.defaults().withBatch(2).withResolution(resolution).withClasses(10);
        return Models.build(name, switch (name) {
            case "efficientnet_b0" -> o.withDropout(0.3).withDropPath(0.4);
            case "resnet18" -> o.withWidth(0.5);
            default -> o;
        }).graph();
    }

    /** A few channels and blocks, so that all catalogues can have a turn. */
    static Graph tiny(String name) {
        ModelOptions o = ModelOptions.defaults().withBatch(3).withResolution(24).withClasses(5).withWidth(0.25);
        return Models.build(name, name.startsWith("efficientnet") ? o.withDropPath(0.4).withDepth(0.3) : o).graph();
    }

    static Stream<Arguments> tinyNets() {
        return Stream.of("resnet20", "efficientnet_b0").flatMap(n ->
                PlanRuns.CATALOGUES.stream().map(k -> Arguments.of(n, k)));
    }

    @ParameterizedTest
    @MethodSource("tinyNets")
    void everyCatalogue(String name, Kernels kernels) {
        Graph model = tiny(name);
        PlanRuns.compare(kernels, 3, PlanRuns.train(model, Set.of()), PlanRuns.evaluate(model));
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "resnet20", "efficientnet_b0"})
    void fusedAndPacked(String name) {
        Graph model = small(name);
        PlanRuns.compare(new GreedyKernels(Layout.BLOCKED16), 2, PlanRuns.train(model, Set.of()), PlanRuns.evaluate(model));
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet20", "efficientnet_b0"})
    void half(String name) {
        // The oracle's shadow keeps double precision: casts change the plan, not what it means.
        Graph model = tiny(name);
        PlanRuns.compare(new GreedyKernels(Layout.NHWC), 2, PlanRuns.train(model, Set.of(), Precision.BF16));
    }

    @Test
    void roundingLosesWhatTheTypesCannotHold() {
        Graph model = tiny("resnet20");
        Map<String, double[]> states = PlanRuns.states(model);
        Map<String, double[]> inputs = PlanRuns.inputs(model, 0);
        double exact = loss(model, Precision.FP32, PlanOracle.Mode.SHADOW, states, inputs);
        double f32 = Math.abs(loss(model, Precision.FP32, PlanOracle.Mode.ROUNDING, states, inputs) - exact);
        double bf16 = Math.abs(loss(model, Precision.BF16, PlanOracle.Mode.ROUNDING, states, inputs) - exact);
        assertThat(f32 / exact).isBetween(1e-10, 1e-4);
        assertThat(bf16 / exact).isBetween(1e-5, 0.1);
    }

    private static double loss(Graph model, Precision p, PlanOracle.Mode mode, Map<String, double[]> states,
                               Map<String, double[]> inputs) {
        Program program = PlanRuns.program(new GreedyKernels(Layout.BLOCKED16), PlanRuns.train(model, Set.of(), p));
        PlanOracle oracle = PlanRuns.load(program, states, mode);
        PlanRuns.step(oracle, program.plans().getFirst(), inputs);
        for (State s : model.states()) {
            assertThat(oracle.state(s.name())).as(s.name()).doesNotContain(Double.NaN);
        }
        return oracle.output("loss")[0];
    }

    @Test
    void plansTakeTurnsOverTheSameMemory() {
        Graph model = tiny("efficientnet_b0");
        PlanRequest train = PlanRuns.train(model, Set.of());
        PlanRequest evaluate = PlanRuns.evaluate(model);
        Program program = PlanRuns.program(new GreedyKernels(Layout.NHWC), train, evaluate);
        PlanOracle oracle = PlanRuns.load(program, PlanRuns.states(model));
        double[] before = {};
        for (int i = 0; i < 3; i++) {
            PlanRuns.step(oracle, program.plan("train"), PlanRuns.inputs(model, i));
            Map<String, double[]> trained = new TreeMap<>();
            model.states().forEach(s -> trained.put(s.name(), oracle.state(s.name())));
            PlanRuns.step(oracle, program.plan("evaluate"), PlanRuns.inputs(model, 9));
            GraphOracle.Evaluation expected = new Reference(evaluate, trained).step(PlanRuns.inputs(model, 9));
            PlanRuns.close(oracle.output("logits"), expected.output("logits"), "logits after step " + i);
            assertThat(oracle.output("logits")).as("prepared again").isNotEqualTo(before);
            before = oracle.output("logits");
        }
    }

    @Test
    void theSameInputsGiveTheSamePlan() {
        for (String name : List.of("resnet18", "efficientnet_b0")) {
            Program[] twice = new Program[2];
            for (int i = 0; i < 2; i++) {
                Graph model = small(name);
                Set<String> frozen = Set.of("conv1.weight", "features.0.0.weight", "features.1.0.block.0.1.bias");
                Program p = PlanRuns.program(new GreedyKernels(Layout.NHWC), PlanRuns.train(model, frozen),
                        PlanRuns.evaluate(model));
                twice[i] = p;
            }
            assertThat(twice[0]).isEqualTo(twice[1]);
        }
    }
}
