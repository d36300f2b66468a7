package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Counter;
import io.firn.graph.Graph;
import io.firn.graph.Phase;
import io.firn.graph.Rates;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.PlanOracle;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Plans of several ranks: together they are the plan of one rank over the global batch, and nothing frozen travels. */
class CollectivePassTest {
    private static final int GLOBAL = 4;
    private static final List<Kernels> CATALOGUES = List.of(new GreedyKernels(Layout.BLOCKED16), CudaKernels.unchecked());

    static List<Arguments> nets() {
        return List.of(Arguments.of("resnet20", CudaKernels.unchecked()),
                Arguments.of("efficientnet_b0", new GreedyKernels(Layout.BLOCKED16)));
    }

    private static Graph model(String name, int batch) {
        ModelOptions o = ModelOptions.defaults().withBatch(batch).withResolution(24).withClasses(5).withWidth(0.25);
        return Models.build(name, name.startsWith("efficientnet") ? o.withDropPath(0.4).withDepth(0.3) : o).graph();
    }

    private static PlanRequest train(Graph model, Set<String> frozen, Ranks ranks) {
        return new PlanRequest("train", model, List.of(0.4, 0.5, 0.6), List.of(0.2, 0.3, 0.4), Precision.FP32,
                Optional.of(new PlanRequest.Training(frozen, s -> new Update.Sgd(0.9, 1e-4, true, 1), 0.1).on(ranks)));
    }

    private static Ranks ranks(int count, boolean syncNorms) {
        return new Ranks(count, syncNorms, 4000);
    }

    @ParameterizedTest
    @MethodSource("nets")
    void ranksTogetherAreOneOverTheGlobalBatch(String name, Kernels kernels) {
        Graph whole = model(name, GLOBAL);
        Map<String, double[]> states = PlanRuns.states(whole);
        Program alone = PlanRuns.program(kernels, train(whole, Set.of(), Ranks.ONE));
        PlanOracle one = PlanRuns.load(alone, states);
        for (int count : List.of(2, 4)) {
            Program program = PlanRuns.program(kernels, train(model(name, GLOBAL / count), Set.of(), ranks(count, true)));
            Plan plan = program.plans().getFirst();
            assertThat(buckets(plan)).hasSizeGreaterThan(2);
            List<PlanOracle> ranks = IntStream.range(0, count).mapToObj(_ -> PlanRuns.load(program, states)).toList();
            states.forEach(one::state);
            for (State s : alone.state().states().values()) {
                if (s.kind() == State.Kind.OPTIMIZER) {
                    one.state(s.name(), new double[Math.toIntExact(s.value().shape().elements())]);
                }
            }
            Map<String, double[]> inputs = inputs(whole);
            PlanRuns.step(one, alone.plans().getFirst(), inputs);
            for (int r = 0; r < count; r++) {
                for (Value v : plan.graph().inputs()) {
                    ranks.get(r).input(plan, v.name(), share(v.name(), inputs, r, count));
                }
            }
            PlanOracle.step(ranks, plan);
            for (PlanOracle rank : ranks) {
                PlanRuns.close(rank.output("loss"), one.output("loss"), "loss");
                assertThat(rank.output("stop")[0]).as("rank 1 wants to stop").isCloseTo(1.0 / count,
                        org.assertj.core.data.Offset.offset(1e-12));
                for (State s : program.state().states().values()) {
                    PlanRuns.close(rank.state(s.name()), one.state(s.name()), s.name());
                }
            }
        }
    }

    private static Map<String, double[]> inputs(Graph model) {
        Random random = new Random(3);
        double[] rates = new double[Rates.SIZE];
        rates[Rates.LEARNING_RATE] = 0.01;
        rates[Rates.STEP] = 1;
        double[] counter = new double[Counter.SIZE];
        counter[Counter.SEED_LOW] = 7;
        return Map.of("pixels", random.ints(model.input("image").shape().elements(), 0, 256).asDoubleStream().toArray(),
                "labels", random.ints(GLOBAL, 0, 5).asDoubleStream().toArray(), "rates", rates, "counter", counter,
                "stop", new double[GLOBAL]);
    }

    /** What rank {@code r} gets of the inputs of the global batch. */
    private static double[] share(String name, Map<String, double[]> inputs, int r, int count) {
        double[] all = inputs.get(name);
        return switch (name) {
            case "pixels", "labels" -> Arrays.copyOfRange(all, r * all.length / count, (r + 1) * all.length / count);
            case "counter" -> {
                double[] counter = all.clone();
                counter[Counter.FIRST_SAMPLE] = r * GLOBAL / count;
                yield counter;
            }
            case "stop" -> new double[] {r == 1 ? 1 : 0};
            default -> all;
        };
    }

    @Test
    void nothingFrozenTravels() {
        Graph model = model("resnet20", 2);
        Random random = new Random(1);
        for (int i = 0; i < 4; i++) {
            Set<String> frozen = RandomNet.freeze(model, random, random.nextDouble());
            for (Kernels k : CATALOGUES) {
                Plan plan = plan(k, model, frozen, ranks(2, random.nextBoolean()));
                long trained = plan.graph().states(State.Kind.PARAMETER).stream()
                        .filter(s -> plan.graph().updates().containsKey(s.name()))
                        .mapToLong(s -> s.value().type().bytes()).sum();
                long travels = buckets(plan).stream().flatMap(l -> l.inputs().stream()).mapToLong(Buffer::bytes).sum();
                assertThat(travels).isEqualTo(trained == 0 ? 0 : trained + 8);
            }
        }
        Plan all = plan(CATALOGUES.getFirst(), model, new HashSet<>(PlanRuns.names(model, State.Kind.PARAMETER)), ranks(2, true));
        assertThat(all.launches()).noneMatch(l -> l.phase() == Phase.COLLECTIVE);
    }

    @Test
    void bucketsTravelBesideTheBackwardPass() {
        for (Kernels k : CATALOGUES) {
            Plan plan = plan(k, model("resnet20", 2), Set.of(), ranks(2, false));
            List<Launch> launches = plan.launches();
            List<Launch> buckets = buckets(plan);
            assertThat(buckets).allMatch(l -> l.stream() == Streams.COLLECTIVES && l.phase() == Phase.COLLECTIVE);
            assertThat(launches.stream().filter(l -> l.phase() == Phase.COLLECTIVE)).hasSameSizeAs(buckets);
            int first = launches.indexOf(buckets.getFirst());
            int last = launches.indexOf(buckets.getLast());
            assertThat(launches.subList(first, last)).filteredOn(l -> l.phase() == Phase.BACKWARD).hasSizeGreaterThan(20);
            // Nobody but the optimizer waits for gradients.
            int[] waits = Streams.waits(launches);
            for (int i = 0; i < waits.length; i++) {
                Launch l = launches.get(i);
                if (l.stream() == Streams.COMPUTE && l.phase() != Phase.OPTIMIZER) {
                    assertThat(waits[i]).as(l.name()).isEqualTo(-1);
                }
            }
            // Gradients are averaged where they lie.
            buckets.stream().filter(_ -> k instanceof CudaKernels).forEach(l -> assertThat(l.inputs().subList(l == buckets.getFirst() ? 2 : 0, l.inputs().size()))
                    .isEqualTo(l.outputs().subList(l == buckets.getFirst() ? 2 : 0, l.outputs().size())));
            double compute = launches.stream().filter(l -> l.stream() == Streams.COMPUTE).mapToDouble(Launch::predictedMs).sum();
            double all = launches.stream().mapToDouble(Launch::predictedMs).sum();
            assertThat(plan.predictedMs()).isGreaterThanOrEqualTo(compute).isLessThan(all);
        }
    }

    @Test
    void synchronisedStatisticsAreWaitedFor() {
        Plan plan = plan(new GreedyKernels(Layout.NHWC), model("resnet20", 2), Set.of(), ranks(2, true));
        List<Launch> syncs = plan.launches().stream().filter(l -> l.name().endsWith(".sync")).toList();
        long norms = plan.graph().states(State.Kind.STATISTIC).size() / 2;
        // Forward and backward.
        assertThat(syncs).hasSize((int) (2 * norms));
        int[] waits = Streams.waits(plan.launches());
        syncs.forEach(l -> assertThat(waits).contains(plan.launches().indexOf(l)));
    }

    /** A launch beside a bucket that is on its way must not touch it: the verifier must see that, whatever the order. */
    @Test
    void aWriteBesideABucketIsCaught() {
        Plan plan = plan(new GreedyKernels(Layout.NHWC), model("resnet20", 2), Set.of(), ranks(2, false));
        List<Launch> launches = plan.launches();
        Launch bucket = buckets(plan).getFirst();
        int caught = 0;
        for (int i = launches.indexOf(bucket) + 1; i < launches.size() && caught < 5; i++) {
            Launch l = launches.get(i);
            if (l.phase() != Phase.BACKWARD || l.outputs().getFirst().arena() != Buffer.Arena.SCRATCH) {
                continue;
            }
            // The local loss, which only the collective reads.
            SequencedMap<Value, Buffer> moved = new LinkedHashMap<>(plan.buffers());
            Value v = l.subgraph().outputs().getFirst();
            Buffer b = plan.buffers().get(v);
            moved.put(v, new Buffer(b.arena(), bucket.inputs().getFirst().offset(), b.type(), b.layout()));
            assertThatThrownBy(() -> VerifyPass.run(with(plan, moved))).isInstanceOf(IllegalArgumentException.class);
            caught++;
        }
        assertThat(caught).isEqualTo(5);
        VerifyPass.run(with(plan, plan.buffers()));
    }

    private static Plan with(Plan p, SequencedMap<Value, Buffer> buffers) {
        List<Launch> launches = p.launches().stream().map(l -> new Launch(l.name(), l.phase(), l.stream(), l.kernel(),
                l.subgraph(), l.subgraph().inputs().stream().map(buffers::get).toList(),
                l.subgraph().outputs().stream().map(buffers::get).toList(), l.workspace(), l.workspaceOffset(), l.flops(),
                l.bytes(), l.predictedMs(), l.reason())).toList();
        return new Plan(p.name(), p.graph(), p.target(), p.precision(), p.activations(), p.prepare(), launches, buffers,
                p.scratch(), p.liveBytes(), p.catalogue());
    }

    private static Plan plan(Kernels k, Graph model, Set<String> frozen, Ranks ranks) {
        return PlanRuns.program(k, train(model, frozen, ranks)).plans().getFirst();
    }

    /** The all-reduces of gradients. */
    private static List<Launch> buckets(Plan plan) {
        return plan.launches().stream().filter(l -> l.name().startsWith("gradients.")).toList();
    }
}
