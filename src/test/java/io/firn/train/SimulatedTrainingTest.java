package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Session;
import io.firn.backend.cuda.CudaBackend;
import io.firn.backend.cuda.SimulatedGpu;
import io.firn.backend.cuda.kernels.Shim;
import io.firn.graph.Scaling;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import io.firn.weights.Initializer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Trainings on the simulated GPU: each launch is the oracle's, and a replayed step is its launches, bit for bit. */
class SimulatedTrainingTest {
    private static final double RATE = 0.02;

    @TempDir
    Path folder;

    @BeforeAll
    static void compilers() {
        Shim.missing().ifPresent(why -> {
            System.out.println("skipped, kernels cannot run here: " + why);
            Assumptions.abort(why);
        });
    }

    private static Model tiny(String name) {
        ModelOptions o = ModelOptions.defaults().withBatch(3).withResolution(24).withClasses(5).withWidth(0.25);
        return Models.build(name, name.startsWith("efficientnet") ? o.withDropPath(0.4).withDepth(0.3) : o);
    }

    private static Set<String> frozen(Model m, String prefixes) {
        return m.graph().states(State.Kind.PARAMETER).stream().map(State::name)
                .filter(n -> !prefixes.isEmpty() && List.of(prefixes.split(" ")).stream().anyMatch(n::startsWith))
                .collect(Collectors.toSet());
    }

    private static Program program(CudaBackend gpu, Model m, Precision p, Set<String> frozen) {
        Update update = m.name().startsWith("efficientnet") ? new Update.AdamW(0.9, 0.999, 1e-8, 0.05, 1)
                : new Update.Sgd(0.9, 1e-4, true, 1);
        var extras = new PlanRequest.Extras(false, p == Precision.FP16 ? 0.9 : 0, p == Precision.TF32 ? 1 : 0, 1,
                PlanRequest.Part.WHOLE);
        return gpu.plan(TuningTable.EMPTY, List.of(new PlanRequest(Plans.TRAIN, m.graph(), m.preset().mean(),
                m.preset().std(), p, Optional.of(new PlanRequest.Training(frozen, _ -> update, 0.1, extras)))));
    }

    private static Map<String, float[]> states(Session s) {
        Map<String, float[]> states = new TreeMap<>();
        s.program().state().states().forEach((name, state) -> {
            float[] data = new float[(int) state.value().shape().elements()];
            s.readState(name, data);
            states.put(name, data);
        });
        return states;
    }

    @ParameterizedTest
    @CsvSource({"resnet20, BF16, ''", "efficientnet_b0, BF16, ''", "resnet20, FP32, conv1 bn1 layer1 layer2.0"})
    @Tag("slow")
    void tenSteps(String name, Precision precision, String prefixes) {
        train(name, precision, prefixes, 10);
    }

    @ParameterizedTest
    @CsvSource({"efficientnet_b0, BF16, features.0 features.1", "resnet20, TF32, ''", "resnet20, FP16, ''"})
    void steps(String name, Precision precision, String prefixes) {
        train(name, precision, prefixes, 2);
    }

    /** What {@code firn selftest --device cuda} asks of every launch, with all that a step can have. */
    @ParameterizedTest
    @CsvSource({"resnet20, FP16", "plain20, BF16", "resnext50_32x4d, BF16", "resnet20, FP32"})
    @Tag("slow")
    void theSelftestPasses(String name, Precision precision) {
        ModelOptions o = ModelOptions.defaults().withBatch(2).withResolution(24).withClasses(5);
        Selftest.Net net = new Selftest.Net(name, name.startsWith("resnext") ? o.withDepth(0.1) : o.withWidth(0.5));
        try (CudaBackend gpu = SimulatedGpu.backend(folder, 1)) {
            assertThat(Selftest.failures(gpu, net, precision, 2)).isEmpty();
        }
    }

    private void train(String name, Precision precision, String prefixes, int steps) {
        Model m = tiny(name);
        Set<String> frozen = frozen(m, prefixes);
        assertThat(frozen.isEmpty()).isEqualTo(prefixes.isEmpty());
        try (CudaBackend gpu = SimulatedGpu.backend(folder, 1);
                Session session = gpu.load(program(gpu, m, precision, frozen))) {
            Plan plan = session.program().plans().getFirst();
            Initializer.initialize(m.graph(), 1, m.initialization()::sampler).forEach(session::writeState);
            Map<String, float[]> first = states(session);
            float[] loss = new float[1];
            for (int n = 0; n < steps; n++) {
                int i = n;
                FixedInputs.fill(session, plan, RATE, new Random(i));
                FixedInputs.step(session, plan, RATE, i);
                Map<String, float[]> before = states(session);
                List<SelftestReport.Checked> checked = new LaunchCheck(session, plan, name, 2).run(2);
                assertThat(checked).hasSizeGreaterThan(20).allSatisfy(c -> assertThat(c.passes()).as(c.toString()).isTrue());
                session.output(plan, "loss", loss);
                float alone = loss[0];
                Map<String, float[]> after = states(session);
                before.forEach(session::writeState);
                session.begin(plan, "loss").copy(loss);
                assertThat(loss[0]).as("loss of step %d", i).isEqualTo(alone).isFinite();
                states(session).forEach((k, data) -> assertThat(data).as("%s after step %d", k, i).isEqualTo(after.get(k)));
            }
            states(session).forEach((k, data) -> {
                if (frozen.contains(k)) {
                    assertThat(data).as(k).isEqualTo(first.get(k));
                } else if (k.endsWith("weight")) {
                    assertThat(data).as(k).isNotEqualTo(first.get(k));
                }
            });
        }
    }

    /** Gradients beyond f16: nothing is trained, the scale is halved, and training goes on where they fit. */
    @Test
    void aStepWithoutFiniteGradientsIsSkipped() {
        Model m = tiny("resnet20");
        try (CudaBackend gpu = SimulatedGpu.backend(folder, 1);
                Session session = gpu.load(program(gpu, m, Precision.FP16, Set.of()))) {
            Plan plan = session.program().plans().getFirst();
            Initializer.initialize(m.graph(), 1, m.initialization()::sampler).forEach(session::writeState);
            session.writeState(Scaling.STATE, new float[] {24, 7, 0});
            Map<String, float[]> before = states(session);
            FixedInputs.fill(session, plan, RATE, new Random(0));
            FixedInputs.step(session, plan, RATE, 0);
            float[] norm = new float[1];
            session.step(plan);
            session.output(plan, "gradient_norm", norm);
            assertThat(norm[0]).isNotFinite();
            Map<String, float[]> after = states(session);
            assertThat(after.get(Scaling.STATE)).containsExactly(23, 0, 1);
            m.graph().states(State.Kind.PARAMETER).forEach(s -> {
                assertThat(after.get(s.name())).as(s.name()).isEqualTo(before.get(s.name()));
                assertThat(after.get(s.name() + ".momentum")).as(s.name()).isEqualTo(before.get(s.name() + ".momentum"));
            });
            session.writeState(Scaling.STATE, new float[] {-6, 1999, 1});
            FixedInputs.fill(session, plan, RATE, new Random(0));
            session.step(plan);
            session.output(plan, "gradient_norm", norm);
            assertThat(norm[0]).isFinite().isPositive();
            assertThat(states(session).get(Scaling.STATE)).containsExactly(-5, 0, 1);
            assertThat(states(session).get("fc.weight")).isNotEqualTo(before.get("fc.weight"));
        }
    }

    /** Every option of a recipe's update, from the command's options to its weights. */
    @Test
    void recipesTrain() throws IOException {
        Path data = TinyData.idx(folder.resolve("data"), 34, 10, 4);
        Map<String, Object> all = Map.of("precision", "fp16", "optimizer", "lars", "ema", 0.9, "clip-norm", 1.0,
                "grad-accumulation", 2);
        RunSummary s = run(data, "all", 1, 2, all);
        assertThat(s.steps()).isEqualTo(2);
        assertThat(losses("all")).first().asString().contains("gradient_norm");
    }

    private RunSummary run(Path data, String name, long seed, int most) {
        return run(data, name, seed, most, Map.of());
    }

    private RunSummary run(Path data, String name, long seed, int most, Map<String, Object> more) {
        Map<String, Object> options = new HashMap<>(Map.of("data", data.toString(), "model", "resnet20", "epochs", 2,
                "batch", 8, "precision", "bf16", "deterministic", true, "depth", 0.3, "width", 0.5, "augment", "none", "max-steps", most));
        options.putAll(more);
        return Run.train(new TrainRequest(Config.of(options), Optional.of(folder.resolve(name)), false, false,
                (_, _) -> SimulatedGpu.backend(folder.resolve(name + "-cache"), seed), new PrintStream(OutputStream.nullOutputStream())));
    }

    private List<String> losses(String name) throws IOException {
        return Files.readAllLines(folder.resolve(name).resolve("metrics.jsonl")).stream()
                .map(l -> l.replaceAll(",\"(images_per_s|seconds)\":[^,}]*", "")).toList();
    }

    /** A run whose next step begins before the last one's loss is asked for, with evaluations and checkpoints between. */
    @Test
    void aRunDoesNotDependOnWhenWorkIsDone() throws IOException {
        Path data = TinyData.idx(folder.resolve("data"), 34, 10, 4);
        RunSummary s = run(data, "a", 1, 6);
        assertThat(s.steps()).isEqualTo(6);
        assertThat(s.valLoss()).isFinite();
        run(data, "b", 2, 6);
        assertThat(losses("a")).hasSize(8).isEqualTo(losses("b"));
        assertThat(Files.readAllBytes(folder.resolve("a/weights.safetensors")))
                .isEqualTo(Files.readAllBytes(folder.resolve("b/weights.safetensors")));
    }
}
