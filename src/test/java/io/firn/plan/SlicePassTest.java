package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Session;
import io.firn.backend.cpu.CpuBackend;
import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Slicing;
import io.firn.graph.State;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.PlanOracle;
import io.firn.weights.Initializer;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers that take the batch in slices compute what they do over all of it, in less memory. */
class SlicePassTest {

    /** A catalogue whose frozen layers have values of so many bytes at most. */
    private record Slicer(Kernels kernels, long limit) implements Kernels {
        @Override
        public OptionalLong slices() {
            return OptionalLong.of(limit);
        }

        @Override
        public boolean supports(List<Node> nodes, Set<Value> outputs) {
            return kernels.supports(nodes, outputs);
        }

        @Override
        public Optional<String> refusal(List<Node> nodes, Set<Value> outputs) {
            return kernels.refusal(nodes, outputs);
        }

        @Override
        public boolean recomputes(Node consumer) {
            return kernels.recomputes(consumer);
        }

        @Override
        public boolean packsWeights(Node product) {
            return kernels.packsWeights(product);
        }

        @Override
        public Layout activationLayout(Graph graph) {
            return kernels.activationLayout(graph);
        }

        @Override
        public List<Candidate> candidates(Subgraph subgraph, Layout layout) {
            return kernels.candidates(subgraph, layout);
        }

        @Override
        public Candidate conversion(Subgraph casts, List<Layout> from, List<Layout> to) {
            return kernels.conversion(casts, from, to);
        }

        @Override
        public String versions() {
            return kernels.versions();
        }
    }

    private static long slices(Plan plan) {
        return plan.graph().nodes().stream().filter(n -> n.op() instanceof Slicing.Narrow).count();
    }

    /** Scratch memory in use at those launches. */
    private static long mostLive(Plan plan, Predicate<Launch> which) {
        List<Long> live = LiveMemory.of(plan);
        return IntStream.range(0, live.size()).filter(i -> which.test(plan.launches().get(i))).mapToLong(live::get).max()
                .orElseThrow();
    }

    @Test
    void randomNetsComputeTheSame() {
        int sliced = 0;
        for (long seed = 0; seed < 40; seed++) {
            Graph model = RandomNet.build(seed);
            Random random = new Random(seed);
            List<String> parameters = PlanRuns.names(model, State.Kind.PARAMETER);
            Set<String> frozen = new HashSet<>(parameters.subList(0, random.nextInt(parameters.size()) + 1));
            Kernels kernels = new Slicer(PlanRuns.CATALOGUES.get((int) seed % PlanRuns.CATALOGUES.size()),
                    64L << random.nextInt(6));
            PlanRequest[] both = {PlanRuns.train(model, frozen), PlanRuns.evaluate(model)};
            PlanRuns.compare(kernels, 2, both);
            sliced += (int) PlanRuns.program(kernels, both).plans().stream().filter(p -> slices(p) > 0).count();
        }
        assertThat(sliced).as("plans with slices").isGreaterThan(20);
    }

    @ParameterizedTest
    @CsvSource({"resnet50, until:layer3", "resnet50, head", "efficientnet_b0, head",
            "efficientnet_b0, until:features.5", "efficientnet_v2_s, head"})
    void frozenLayersTakeLessMemory(String name, String freeze) {
        Graph model = Models.build(name, ModelOptions.defaults().withBatch(8).withResolution(128)).graph();
        Set<String> frozen = FreezeSpec.frozen(freeze, model, (_, _) -> List.of());
        try (CpuBackend cpu = CpuBackend.open(1)) {
            Kernels kernels = cpu.kernels(TuningTable.EMPTY);
            Plan whole = PlanRuns.program(kernels, PlanRuns.train(model, frozen)).plan("train");
            long largest = whole.graph().nodes().stream().flatMap(n -> n.outputs().stream())
                    .filter(v -> v.shape().rank() == 4 && v.shape().n() == 8).mapToLong(v -> v.type().bytes()).max().orElseThrow();
            Plan sliced = PlanRuns.program(new Slicer(kernels, largest / 4), PlanRuns.train(model, frozen)).plan("train");
            assertThat(slices(whole)).isZero();
            assertThat(slices(sliced)).isEqualTo(4);
            assertThat(sliced.flops()).isEqualTo(whole.flops());
            assertThat(sliced.prepare()).as("weights are prepared once for all slices").hasSameSizeAs(whole.prepare());
            assertThat(mostLive(sliced, l -> l.name().endsWith("]"))).isLessThan(mostLive(whole,
                    l -> l.outputs().stream().anyMatch(b -> b.bytes() >= largest)) - largest / 2);
            assertThat(sliced.scratch()).isLessThan((long) (1.15 * sliced.liveBytes()));
        }
    }

    @Test
    void whatIsNeededAgainIsNotSliced() {
        Graph model = Models.build("resnet18", ModelOptions.defaults().withBatch(8).withResolution(64)).graph();
        for (String freeze : List.of("none", "layer2", "until:layer1", "bn1,layer4")) {
            Set<String> frozen = FreezeSpec.frozen(freeze, model, (_, _) -> List.of());
            Kernels kernels = new Slicer(new GreedyKernels(Layout.NHWC), 4096);
            long trained = slices(PlanRuns.program(kernels, PlanRuns.train(model, frozen)).plan("train"));
            assertThat(trained).as(freeze).isEqualTo(freeze.equals("until:layer1") ? 8 : 0);
        }
    }

    /** The real kernels, over 8 images in slices of 2 and over 2 at once. */
    @ParameterizedTest
    @CsvSource({"resnet18, FP32, 1e-5", "efficientnet_b0, FP32, 1e-5", "resnet18, BF16, 3e-2"})
    void slicesAreImages(String name, Precision precision, double tolerance) {
        try (CpuBackend cpu = CpuBackend.open(2)) {
            float[] whole = logits(cpu, name, precision, 8, 0, true);
            for (int i = 0; i < 8; i += 2) {
                float[] two = logits(cpu, name, precision, 2, i, false);
                double most = 0;
                for (float x : two) {
                    most = Math.max(most, Math.abs(x));
                }
                for (int j = 0; j < two.length; j++) {
                    assertThat(Math.abs(whole[i * 10 + j] - two[j]) / most).as("logit %d of image %d", j % 10, i + j / 10)
                            .isLessThan(tolerance);
                }
            }
        }
    }

    private static float[] logits(CpuBackend cpu, String name, Precision precision, int batch, int first, boolean sliced) {
        var m = Models.build(name, ModelOptions.defaults().withBatch(batch).withResolution(64).withClasses(10));
        PlanRequest request = new PlanRequest("evaluate", m.graph(), m.preset().mean(), m.preset().std(), precision,
                Optional.empty());
        Kernels kernels = cpu.kernels(TuningTable.EMPTY);
        Program program = new Planner(cpu.target(), sliced ? new Slicer(kernels, 200_000) : kernels).plan(request);
        Plan plan = program.plan("evaluate");
        assertThat(slices(plan) > 0).isEqualTo(sliced);
        try (Session session = cpu.load(program)) {
            Initializer.initialize(m.graph(), 1, m.initialization()::sampler).forEach(session::writeState);
            byte[] images = new byte[8 * 3 * 64 * 64];
            new Random(1).nextBytes(images);
            int bytes = images.length / 8;
            session.input(plan, "pixels").copyFrom(MemorySegment.ofArray(images).asSlice((long) first * bytes, (long) batch * bytes));
            session.step(plan);
            float[] logits = new float[batch * 10];
            session.output(plan, "logits", logits);
            return logits;
        }
    }

    @Test
    void partsLieWhereTheyAreJoined() {
        Graph model = Models.build("resnet18", ModelOptions.defaults().withBatch(4).withResolution(32)).graph();
        Program program = PlanRuns.program(new Slicer(new GreedyKernels(Layout.BLOCKED16), 4096), PlanRuns.evaluate(model));
        Plan plan = program.plan("evaluate");
        Launch cat = plan.launches().stream().filter(l -> l.subgraph().nodes().getFirst().op() instanceof Slicing.Cat)
                .findFirst().orElseThrow();
        assertThat(cat.bytes()).isZero();
        assertThat(cat.inputs()).hasSize(4);
        for (int i = 0; i < 4; i++) {
            assertThat(cat.inputs().get(i).offset()).isEqualTo(cat.outputs().getFirst().offset() + i * cat.inputs().get(i).bytes());
        }
        PlanOracle oracle = PlanRuns.load(program, PlanRuns.states(model), PlanOracle.Mode.ROUNDING);
        Map<String, double[]> inputs = PlanRuns.inputs(model, 0);
        PlanRuns.step(oracle, plan, inputs);
        assertThat(oracle.output("logits")).doesNotContain(Double.NaN);
    }
}
