package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Drop;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Phase;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.PlanOracle;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Frozen means absent (design, invariant 1), and freezing changes nothing else (invariant 2). */
class FreezingTest {
    private static final List<Kernels> CATALOGUES = List.of(new GreedyKernels(Layout.NHWC), CudaKernels.unchecked());
    /** What derived nodes are called after the module that they take the gradient of. */
    private static final List<String> OF_PARAMETERS = List.of(".wgrad", ".bias_grad", ".grad_sums");

    @Test
    void randomNets() {
        for (long seed = 0; seed < 40; seed++) {
            Graph model = RandomNet.build(seed);
            Random random = new Random(seed);
            Set<String> frozen = RandomNet.freeze(model, random, random.nextDouble());
            for (Kernels k : CATALOGUES) {
                checkAbsent(k, model, frozen);
                checkUntouched(k, model, frozen);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet18", "efficientnet_b0"})
    void anyParametersOfModels(String name) {
        Graph model = ModelPlansTest.small(name);
        Random random = new Random(3);
        for (int i = 0; i < 4; i++) {
            Set<String> frozen = RandomNet.freeze(model, random, random.nextDouble());
            CATALOGUES.forEach(k -> checkAbsent(k, model, frozen));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"resnet20", "efficientnet_b0"})
    void gradientsThatRemain(String name) {
        Graph model = ModelPlansTest.tiny(name);
        Random random = new Random(4);
        for (int i = 0; i < 4; i++) {
            Set<String> frozen = i < 2 ? prefix(model, random) : RandomNet.freeze(model, random, random.nextDouble());
            // The reference differentiates towards frozen parameters too.
            Kernels kernels = CATALOGUES.get(i % CATALOGUES.size());
            PlanRuns.compare(kernels, 2, PlanRuns.train(model, frozen));
            checkAbsent(kernels, model, frozen);
            checkUntouched(kernels, model, frozen);
        }
    }

    @ParameterizedTest
    @FieldSource("CATALOGUES")
    void frozenPrefixIsPlannedAsInference(Kernels kernels) {
        Graph model = Models.build("efficientnet_b0", ModelOptions.defaults().withBatch(16)).graph();
        Set<String> frozen = new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER));
        frozen.removeIf(n -> n.startsWith("classifier"));
        Plan plan = plan(kernels, model, frozen);
        assertThat(plan.graph().nodes()).noneMatch(n -> n.op() instanceof Normalization.Apply
                || n.op() instanceof Normalization.Statistics || n.op() instanceof Drop.DropPath);
        assertThat(plan.launches().stream().filter(l -> l.phase() == Phase.BACKWARD).map(Launch::op)).hasSize(3);
        assertThat(plan.scratch()).isLessThan(plan(kernels, model, Set.of()).scratch() / 5);
    }

    @ParameterizedTest
    @FieldSource("CATALOGUES")
    void allFrozenTrainsNothing(Kernels kernels) {
        Graph model = ModelPlansTest.tiny("resnet20");
        Plan plan = plan(kernels, model, new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER)));
        assertThat(plan.launches()).allMatch(l -> l.phase() == Phase.INPUT || l.phase() == Phase.FORWARD);
        assertThat(plan.graph().updates()).isEmpty();
    }

    private static Set<String> prefix(Graph model, Random random) {
        List<String> names = PlanRuns.names(model, State.Kind.PARAMETER);
        return new HashSet<>(names.subList(0, random.nextInt(names.size())));
    }

    private static Plan plan(Kernels kernels, Graph model, Set<String> frozen) {
        return PlanRuns.program(kernels, PlanRuns.train(model, frozen)).plans().getFirst();
    }

    private static Set<String> whole(Graph model, Set<String> frozen) {
        Set<String> all = new HashSet<>(frozen);
        for (Node n : model.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm && (all.contains(n.name() + ".weight")
                    || all.contains(n.name() + ".bias"))) {
                all.addAll(List.of(n.name() + ".weight", n.name() + ".bias"));
            }
        }
        return all;
    }

    /** No gradient, no slot, no update of what is frozen, and no backward node below what is trained. */
    private static void checkAbsent(Kernels kernels, Graph model, Set<String> named) {
        Set<String> frozen = whole(model, named);
        Plan plan = plan(kernels, model, named);
        Set<String> parameters = new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER));
        for (String name : parameters) {
            boolean trained = !frozen.contains(name);
            assertThat(plan.graph().updates().containsKey(name)).as(name).isEqualTo(trained);
            assertThat(plan.graph().states().stream().anyMatch(s -> s.name().equals(name + ".momentum"))).as(name)
                    .isEqualTo(trained);
        }
        Map<String, Boolean> readsTrained = new HashMap<>(Map.of("loss", true));
        Set<Value> above = new HashSet<>();
        for (Node n : model.nodes()) {
            readsTrained.put(n.name(), n.inputs().stream().anyMatch(above::contains));
            if (n.inputs().stream().anyMatch(v -> above.contains(v)
                    || parameters.contains(v.name()) && !frozen.contains(v.name()))) {
                above.addAll(n.outputs());
            }
        }
        for (Launch l : plan.launches()) {
            l.subgraph().nodes().stream().filter(n -> n.phase() == Phase.BACKWARD)
                    .forEach(n -> checkBackward(n.name(), readsTrained, parameters, frozen));
        }
    }

    private static void checkBackward(String node, Map<String, Boolean> readsTrained, Set<String> parameters,
                                      Set<String> frozen) {
        // The longest module name that the node's name begins with is what it belongs to.
        String module = node;
        while (!readsTrained.containsKey(module)) {
            assertThat(module).as(node).contains(".");
            module = module.substring(0, module.lastIndexOf('.'));
        }
        String suffix = node.substring(module.length());
        if (OF_PARAMETERS.stream().anyMatch(suffix::startsWith)) {
            String parameter = module + (suffix.startsWith(".bias_grad") ? ".bias" : ".weight");
            assertThat(parameters).contains(parameter);
            assertThat(frozen).as(node).doesNotContain(parameter);
        } else if (!suffix.endsWith(".again")) {
            assertThat(readsTrained.get(module)).as(node + " is a gradient that nothing trained needs").isTrue();
        }
    }

    /** Frozen parameters and the running statistics of their batch norms keep every bit. */
    private static void checkUntouched(Kernels kernels, Graph model, Set<String> named) {
        Set<String> frozen = whole(model, named);
        Map<String, double[]> before = PlanRuns.states(model);
        Program program = PlanRuns.program(kernels, PlanRuns.train(model, named));
        PlanOracle oracle = PlanRuns.load(program, before);
        for (int i = 0; i < 2; i++) {
            PlanRuns.step(oracle, program.plans().getFirst(), PlanRuns.inputs(model, i));
        }
        for (State s : model.states()) {
            String module = s.name().substring(0, s.name().lastIndexOf('.'));
            boolean fixed = frozen.contains(s.kind() == State.Kind.STATISTIC ? module + ".weight" : s.name());
            if (fixed) {
                assertThat(oracle.state(s.name())).as(s.name()).containsExactly(before.get(s.name()));
            } else if (s.kind() == State.Kind.STATISTIC) {
                assertThat(oracle.state(s.name())).as(s.name()).isNotEqualTo(before.get(s.name()));
            }
        }
    }
}
