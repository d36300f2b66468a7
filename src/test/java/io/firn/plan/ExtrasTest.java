package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.firn.graph.Graph;
import io.firn.graph.Rates;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.PlanOracle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Accumulation, clipping and moving averages: whole plans in simulated memory against what they should come to. */
class ExtrasTest {
    private static final Graph MODEL = ModelPlansTest.tiny("resnet20");
    private static final double CLIP = 0.5;
    private static final double EMA = 0.75;
    private static final int LAST = 3;

    private static PlanRequest request(String name, PlanRequest.Extras extras, Set<String> frozen) {
        PlanRequest plain = PlanRuns.train(MODEL, frozen);
        var t = plain.training().orElseThrow();
        return new PlanRequest(name, MODEL, plain.mean(), plain.std(), Precision.FP32, Optional.of(
                new PlanRequest.Training(frozen, t.optimizer(), t.smoothing(), extras)));
    }

    private static PlanOracle oracle(Program program, Map<String, double[]> states) {
        PlanOracle oracle = new PlanOracle(program, PlanOracle.Mode.SHADOW);
        states.forEach(oracle::state);
        program.state().states().values().stream().filter(s -> s.kind() == State.Kind.AVERAGE)
                .forEach(s -> oracle.state(s.name(), states.get(s.averaged()).clone()));
        return oracle;
    }

    /** Gradients of a step from the graph alone, by the parameters' names. */
    private static Map<String, double[]> gradients(Map<String, double[]> states, Map<String, double[]> inputs) {
        PlanRequest r = PlanRuns.train(MODEL, Set.of());
        Graph g = MODEL;
        for (Planner.Pass p : new Planner(PlainKernels.TARGET, PlanRuns.CATALOGUES.getFirst()).passes(r)) {
            if (p.name().equals("update")) {
                break;
            }
            g = p.run().apply(g);
        }
        Map<String, double[]> given = new HashMap<>(states);
        given.putAll(inputs);
        GraphOracle.Evaluation e = GraphOracle.evaluate(g, given);
        Map<String, double[]> gradients = new TreeMap<>();
        g.outputs().keySet().stream().filter(n -> n.endsWith(".grad"))
                .forEach(n -> gradients.put(n.substring(0, n.length() - 5), e.output(n)));
        return gradients;
    }

    private static Map<String, double[]> inputs(int step, boolean first) {
        Map<String, double[]> in = new HashMap<>(PlanRuns.inputs(MODEL, step));
        in.get("rates")[Rates.KEEP] = first ? 0 : 1;
        return in;
    }

    private static void fill(PlanOracle oracle, Plan plan, Map<String, double[]> inputs) {
        plan.graph().inputs().forEach(v -> oracle.input(plan, v.name(), inputs.get(v.name())));
    }

    /** One step of two micro-batches is SGD on their mean gradient, clipped; the averages follow. */
    @Test
    void microBatchesAddUpToOneStep() {
        var extras = new PlanRequest.Extras(false, EMA, CLIP, 2, PlanRequest.Part.ACCUMULATE);
        for (Kernels kernels : PlanRuns.CATALOGUES.subList(0, 5)) {
            Program program = PlanRuns.program(kernels, request("accumulate", extras, Set.of()),
                    request("apply", extras.withPart(PlanRequest.Part.APPLY), Set.of()));
            Plan accumulate = program.plan("accumulate");
            Plan apply = program.plan("apply");
            assertThat(accumulate.graph().states(State.Kind.OPTIMIZER)).isEmpty();
            assertThat(apply.graph().inputs()).extracting("name").containsExactly("rates");
            Map<String, double[]> states = PlanRuns.states(MODEL);
            PlanOracle oracle = oracle(program, states);
            // Statistics move between the micro-batches, but gradients of training do not depend on them.
            Map<String, double[]> sum = new TreeMap<>();
            for (int micro = 0; micro < 2; micro++) {
                Map<String, double[]> in = inputs(micro, micro == 0);
                fill(oracle, accumulate, in);
                oracle.step(accumulate);
                gradients(states, in).forEach((name, g) -> sum.merge(name, g, ExtrasTest::plus));
            }
            fill(oracle, apply, inputs(0, true));
            oracle.step(apply);
            double norm = Math.sqrt(sum.values().stream().mapToDouble(g -> squares(g) / 4).sum());
            assertThat(oracle.output("gradient_norm")[0]).isCloseTo(norm, within(1e-9 * norm));
            assertThat(norm).isGreaterThan(CLIP);
            double lr = inputs(0, true).get("rates")[Rates.LEARNING_RATE];
            Update.Sgd sgd = (Update.Sgd) request("x", PlanRequest.Extras.NONE, Set.of()).training().orElseThrow().optimizer()
                    .apply(null);
            sum.forEach((name, g) -> {
                double[] before = states.get(name);
                double[] after = oracle.state(name);
                double[] average = oracle.state(State.average(name));
                for (int i = 0; i < before.length; i++) {
                    double d = CLIP / (norm + 1e-6) * g[i] / 2 + sgd.weightDecay() * before[i];
                    // The first step of Nesterov's momentum.
                    double expected = before[i] - lr * (1 + sgd.momentum()) * d;
                    assertThat(after[i]).as(name).isCloseTo(expected, within(1e-9));
                    assertThat(average[i]).as(name).isCloseTo(EMA * before[i] + (1 - EMA) * expected, within(1e-9));
                }
            });
            double[] statistic = oracle.state("bn1.running_mean");
            double[] average = oracle.state(State.average("bn1.running_mean"));
            for (int i = 0; i < statistic.length; i++) {
                assertThat(average[i]).isCloseTo(EMA * states.get("bn1.running_mean")[i] + (1 - EMA) * statistic[i],
                        within(1e-9));
            }
        }
    }

    /** In one plan the same comes of one batch, and an evaluation sees the averages. */
    @Test
    void onePlanDoesItAllAndAnEvaluationReadsAverages() {
        var extras = new PlanRequest.Extras(true, EMA, CLIP, 1, PlanRequest.Part.WHOLE);
        PlanRequest evaluate = PlanRuns.evaluate(MODEL);
        PlanRequest averaged = new PlanRequest("averaged", MODEL, evaluate.mean(), evaluate.std(), Precision.FP32,
                Optional.empty(), PlanRequest.averaged(MODEL, Set.of()), Optional.empty());
        for (Kernels kernels : PlanRuns.CATALOGUES.subList(0, 5)) {
            Program program = PlanRuns.program(kernels, request("train", extras, Set.of()), evaluate, averaged);
            Map<String, double[]> states = PlanRuns.states(MODEL);
            PlanOracle oracle = oracle(program, states);
            for (int step = 0; step < LAST; step++) {
                Map<String, double[]> in = inputs(step, true);
                double[] labels = in.get("labels");
                in.put("partners", labels.clone());
                in.get("rates")[Rates.MIX] = 0.3;
                fill(oracle, program.plan("train"), in);
                oracle.step(program.plan("train"));
            }
            Map<String, double[]> in = inputs(LAST, true);
            fill(oracle, program.plan("averaged"), in);
            oracle.step(program.plan("averaged"));
            double[] seen = oracle.output("logits");
            // The same states in the net's own place.
            PlanRequest.averaged(MODEL, Set.of()).forEach(name -> oracle.state(name, oracle.state(State.average(name))));
            fill(oracle, program.plan("evaluate"), in);
            oracle.step(program.plan("evaluate"));
            assertThat(oracle.output("logits")).usingComparatorWithPrecision(1e-9).containsExactly(seen);
        }
    }

    @Test
    void whatIsFrozenHasNeitherAveragesNorSums() {
        Set<String> frozen = new java.util.HashSet<>();
        MODEL.states(State.Kind.PARAMETER).stream().map(State::name).filter(n -> !n.startsWith("fc") && !n.startsWith("layer3"))
                .forEach(frozen::add);
        var extras = new PlanRequest.Extras(false, EMA, CLIP, 4, PlanRequest.Part.ACCUMULATE);
        Program program = PlanRuns.program(PlanRuns.CATALOGUES.getFirst(), request("accumulate", extras, frozen),
                request("apply", extras.withPart(PlanRequest.Part.APPLY), frozen));
        List<String> more = program.state().states().values().stream().filter(s -> s.kind() == State.Kind.AVERAGE
                || s.kind() == State.Kind.GRADIENT || s.kind() == State.Kind.OPTIMIZER).map(State::name).toList();
        assertThat(more).isNotEmpty().allMatch(n -> n.startsWith("fc") || n.startsWith("layer3"));
        assertThat(program.plan("apply").graph().states()).extracting(State::name)
                .allMatch(n -> n.startsWith("fc") || n.startsWith("layer3"));
    }

    private static double[] plus(double[] a, double[] b) {
        double[] sum = a.clone();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += b[i];
        }
        return sum;
    }

    private static double squares(double[] x) {
        double sum = 0;
        for (double v : x) {
            sum += v * v;
        }
        return sum;
    }
}
