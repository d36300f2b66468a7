package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cpu.CpuBackend;
import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Graph;
import io.firn.graph.State;
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

/** A network that is cut where its frozen prefix ends computes in two plans what it does in one. */
class CutPassTest {
    private static final List<Kernels> CATALOGUES = List.of(new GreedyKernels(Layout.NHWC),
            new GreedyKernels(Layout.BLOCKED16), CudaKernels.unchecked());

    private static PlanRequest before(Graph model, Set<String> frozen) {
        PlanRequest r = PlanRuns.evaluate(model);
        return new PlanRequest("prefix", model, r.mean(), r.std(), r.precision(), r.training())
                .on(PlanRequest.Cut.Side.BEFORE, frozen);
    }

    private static PlanRequest after(Graph model, Set<String> frozen) {
        return PlanRuns.train(model, frozen).on(PlanRequest.Cut.Side.AFTER, frozen);
    }

    private static Set<String> first(Graph model, int n) {
        return new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER).subList(0, n));
    }

    @Test
    void twoPlansDoWhatOneDoes() {
        int cut = 0;
        int several = 0;
        for (long seed = 0; seed < 30; seed++) {
            Graph model = RandomNet.build(seed);
            Set<String> frozen = first(model, new Random(seed).nextInt(1, model.states(State.Kind.PARAMETER).size()));
            if (!PlanRuns.train(model, frozen).hasPrefix(frozen)) {
                continue;
            }
            cut++;
            Kernels kernels = CATALOGUES.get((int) seed % CATALOGUES.size());
            Program whole = PlanRuns.program(kernels, PlanRuns.train(model, frozen));
            Program parts = PlanRuns.program(kernels, before(model, frozen), after(model, frozen));
            several += parts.plan("prefix").features().size() > 1 ? 1 : 0;
            compare(model, whole, parts);
        }
        assertThat(cut).isGreaterThan(20);
        assertThat(several).as("nets where several values cross").isPositive();
    }

    private static void compare(Graph model, Program whole, Program parts) {
        Plan prefix = parts.plan("prefix");
        Plan rest = parts.plan("train");
        assertThat(prefix.features().stream().map(b -> b.type() + b.layout().label()))
                .containsExactlyElementsOf(rest.features().stream().map(b -> b.type() + b.layout().label()).toList());
        assertThat(prefix.flops() + rest.flops()).isEqualTo(whole.plan("train").flops());
        PlanOracle one = PlanRuns.load(whole, PlanRuns.states(model));
        PlanOracle two = PlanRuns.load(parts, PlanRuns.states(model));
        for (int i = 0; i < 2; i++) {
            Map<String, double[]> inputs = new HashMap<>(PlanRuns.inputs(model, i));
            PlanRuns.step(one, whole.plan("train"), inputs);
            PlanRuns.step(two, prefix, inputs);
            for (int k = 0; k < prefix.features().size(); k++) {
                String name = PlanRequest.Cut.FEATURES + k;
                inputs.put(name, two.output(name));
            }
            PlanRuns.step(two, rest, inputs);
            PlanRuns.close(two.output("loss"), one.output("loss"), "loss of step " + i);
            whole.state().states().keySet().forEach(s -> PlanRuns.close(two.state(s), one.state(s), s));
        }
    }

    @Test
    void whatCrossesIsAllThatTheRestReads() {
        Graph model = Models.build("resnet18", ModelOptions.defaults().withResolution(32)).graph();
        Set<String> frozen = FreezeSpec.frozen("until:layer3.0.bn2", model, (_, _) -> List.of());
        // The block's second convolution, and its input for the shortcut.
        Program parts = PlanRuns.program(CATALOGUES.getFirst(), before(model, frozen), after(model, frozen));
        assertThat(parts.plan("prefix").features()).hasSize(2);
        assertThat(parts.plan("train").graph().inputs()).noneMatch(v -> v.name().equals("pixels"));
        assertThat(parts.plan("train").graph().states()).noneMatch(s -> s.name().startsWith("layer2"));
    }

    @Test
    void nothingIsCutWhereTheFirstLayerIsTrained() {
        Graph model = Models.build("resnet18", ModelOptions.defaults().withResolution(32)).graph();
        for (String spec : List.of("layer1", "none", "fc.bias")) {
            Set<String> frozen = FreezeSpec.frozen(spec, model, (_, _) -> List.of());
            assertThat(PlanRuns.train(model, frozen).hasPrefix(frozen)).as(spec).isFalse();
        }
    }

    @Test
    void bothPartsHaveOneLayout() {
        Graph model = Models.build("resnext50_32x4d", ModelOptions.defaults().withResolution(32)).graph();
        Set<String> frozen = FreezeSpec.frozen("until:layer4", model, (_, _) -> List.of());
        try (var cpu = CpuBackend.open(1)) {
            Program parts = cpu.plan(TuningTable.EMPTY, List.of(before(model, frozen), after(model, frozen)));
            assertThat(parts.plan("prefix").features().getFirst().layout())
                    .isEqualTo(parts.plan("train").features().getFirst().layout());
        }
    }
}
