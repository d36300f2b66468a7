package io.firn.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Backend;
import io.firn.backend.Collectives;
import io.firn.backend.Session;
import io.firn.backend.cpu.CpuBackend;
import io.firn.backend.cuda.SimulatedGpu;
import io.firn.backend.cuda.SimulatedWire;
import io.firn.backend.cuda.kernels.Shim;
import io.firn.graph.Counter;
import io.firn.graph.Graph;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.TuningTable;
import io.firn.weights.Initializer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The same global batch gives the same first gradients on 1, 2 and 4 ranks, but for the order in which numbers are added:
 * they differ by at most four times what another order of the batch makes of them on one rank.
 */
class RankGradientsTest {
    private static final int BATCH = 16;
    private static final double ALLOWED = 4;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"resnet20,true", "resnet20,false", "efficientnet_b0,true", "efficientnet_b0,false"})
    void asOnOneRank(String name, boolean sync) throws Exception {
        asOnOneRank(name, sync, 3, List.of(2, 4), _ -> CpuBackend.open(1));
    }

    /** NCCL's part is simulated too; what is real is what is asked of it, when, on which stream and with which operands. */
    @ParameterizedTest
    @ValueSource(strings = "resnet20")
    void onSimulatedGpus(String name) throws Exception {
        onSimulatedGpus(name, 2);
    }

    @ParameterizedTest
    @CsvSource({"resnet20,4", "efficientnet_b0,2"})
    @Tag("slow")
    void onMoreSimulatedGpus(String name, int ranks) throws Exception {
        onSimulatedGpus(name, ranks);
    }

    private void onSimulatedGpus(String name, int ranks) throws Exception {
        Shim.missing().ifPresent(why -> {
            System.out.println("skipped, kernels cannot run here: " + why);
            Assumptions.abort(why);
        });
        SimulatedWire wire = new SimulatedWire();
        // A cache that holds kernels already would keep their sources from the simulator.
        AtomicInteger opened = new AtomicInteger();
        asOnOneRank(name, true, 1, List.of(ranks), _ -> {
            int n = opened.getAndIncrement();
            return SimulatedGpu.backend(folder.resolve("cache" + n), n, wire);
        });
    }

    private static void asOnOneRank(String name, boolean sync, int permutations, List<Integer> counts, IntFunction<Backend> open)
            throws Exception {
        List<Integer> inOrder = IntStream.range(0, BATCH).boxed().toList();
        // Frozen norms need statistics that fit: with those of a fresh net the signal fades from layer to layer.
        Map<String, float[]> statistics = sync ? Map.of()
                : states(open, name, true, Collectives.ALONE, inOrder, Map.of(), 40, State.Kind.STATISTIC);
        Map<String, float[]> one = gradients(open, name, sync, Collectives.ALONE, inOrder, statistics);
        double permutation = 0;
        for (int seed = 0; seed < permutations; seed++) {
            List<Integer> shuffled = new ArrayList<>(inOrder);
            Collections.shuffle(shuffled, new Random(seed));
            permutation = Math.max(permutation, distance(gradients(open, name, sync, Collectives.ALONE, shuffled, statistics),
                    one));
        }
        assertThat(permutation).isPositive();
        for (int ranks : counts) {
            List<Map<String, float[]>> all = Teams.all(ranks, team -> gradients(open, name, sync, team.collectives(),
                    inOrder, statistics));
            double off = distance(all.getFirst(), one);
            System.out.printf("%s, %s batch norms, %d ranks: gradients off by %.2e, a permutation by %.2e%n", name,
                    sync ? "synchronised" : "frozen", ranks, off, permutation);
            assertThat(off).as(ranks + " ranks").isLessThan(ALLOWED * permutation);
            for (Map<String, float[]> rank : all) {
                rank.forEach((p, g) -> assertThat(g).as(p + " on every rank").isEqualTo(all.getFirst().get(p)));
            }
        }
    }

    /** Relative distance of all gradients taken as one vector. */
    private static double distance(Map<String, float[]> a, Map<String, float[]> b) {
        double off = 0;
        double size = 0;
        for (Map.Entry<String, float[]> e : a.entrySet()) {
            float[] other = b.get(e.getKey());
            for (int i = 0; i < other.length; i++) {
                off += Math.pow((double) e.getValue()[i] - other[i], 2);
                size += Math.pow(other[i], 2);
            }
        }
        return Math.sqrt(off / size);
    }

    /** After the first step of SGD with momentum and without decay, the momentum is the gradient. */
    private static Map<String, float[]> gradients(IntFunction<Backend> open, String name, boolean sync, Collectives ranks,
                                                  List<Integer> order, Map<String, float[]> statistics) {
        return states(open, name, sync, ranks, order, statistics, 1, State.Kind.OPTIMIZER);
    }

    /** The states of that kind after some steps on one batch, with a rate of 0. */
    private static Map<String, float[]> states(IntFunction<Backend> open, String name, boolean sync, Collectives ranks,
                                               List<Integer> order, Map<String, float[]> statistics, int steps,
                                               State.Kind kind) {
        int share = BATCH / ranks.ranks();
        ModelOptions options = ModelOptions.defaults().withBatch(share).withResolution(32).withClasses(10).withWidth(0.25);
        Model model = Models.build(name, options.withDepth(0.3).withDropout(0).withDropPath(0));
        Graph g = model.graph();
        Set<String> frozen = sync ? Set.of() : g.states(State.Kind.PARAMETER).stream().map(State::name)
                .filter(p -> g.states(State.Kind.STATISTIC).stream().anyMatch(s -> s.name().startsWith(
                        p.substring(0, p.lastIndexOf('.') + 1) + "running"))).collect(Collectors.toSet());
        var sgd = new Update.Sgd(0.9, 0, false, 1);
        try (Backend backend = open.apply(ranks.rank())) {
            Ranks together = new Ranks(ranks.ranks(), sync, 10_000);
            Program program = backend.plan(TuningTable.EMPTY, List.of(new PlanRequest("train", g, model.preset().mean(),
                    model.preset().std(), Precision.FP32,
                    Optional.of(new PlanRequest.Training(frozen, _ -> sgd, 0.1).on(together)))));
            try (Session session = backend.load(program, ranks)) {
                Plan plan = program.plan("train");
                fill(session, plan, model, order.subList(ranks.rank() * share, (ranks.rank() + 1) * share), ranks.rank() * share,
                        statistics);
                for (int i = 0; i < steps; i++) {
                    session.step(plan);
                }
                Map<String, float[]> gradients = new TreeMap<>();
                for (State s : program.state().states().values()) {
                    if (s.kind() == kind) {
                        float[] data = new float[Math.toIntExact(s.value().shape().elements())];
                        session.readState(s.name(), data);
                        gradients.put(s.name(), data);
                    }
                }
                return gradients;
            }
        }
    }

    private static void fill(Session session, Plan plan, Model model, List<Integer> images, int first,
                             Map<String, float[]> statistics) {
        for (State s : session.program().state().states().values()) {
            float[] data = s.kind() == State.Kind.OPTIMIZER ? new float[Math.toIntExact(s.value().shape().elements())]
                    : Initializer.initialize(model.graph(), 3, model.initialization()::sampler, s.name()::equals).get(s.name());
            session.writeState(s.name(), statistics.getOrDefault(s.name(), data));
        }
        MemorySegment pixels = session.input(plan, "pixels");
        MemorySegment labels = session.input(plan, "labels");
        int bytes = (int) (pixels.byteSize() / images.size());
        for (int i = 0; i < images.size(); i++) {
            byte[] image = new byte[bytes];
            new Random(images.get(i)).nextBytes(image);
            MemorySegment.copy(image, 0, pixels, ValueLayout.JAVA_BYTE, (long) i * bytes, bytes);
            labels.setAtIndex(ValueLayout.JAVA_INT, i, images.get(i) % 10);
        }
        if (plan.graph().inputs().stream().anyMatch(v -> v.name().equals("counter"))) {
            session.input(plan, "counter").setAtIndex(ValueLayout.JAVA_INT, Counter.FIRST_SAMPLE, first);
        }
    }
}
