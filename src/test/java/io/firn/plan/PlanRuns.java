package io.firn.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaKernels;
import io.firn.graph.Counter;
import io.firn.graph.Graph;
import io.firn.graph.Rates;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.PlanOracle;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/** Runs a plan beside {@link Reference} for a few steps, and compares all that can be seen. */
final class PlanRuns {
    static final List<Kernels> CATALOGUES = List.of(new PlainKernels(Layout.DENSE), new PlainKernels(Layout.NHWC),
            new PlainKernels(Layout.BLOCKED16), new GreedyKernels(Layout.NHWC), new GreedyKernels(Layout.BLOCKED16),
            CudaKernels.unchecked());
    private static final double TOLERANCE = 1e-9;

    private PlanRuns() {
    }

    static PlanRequest train(Graph model, Set<String> frozen) {
        return train(model, frozen, Precision.FP32);
    }

    static PlanRequest train(Graph model, Set<String> frozen, Precision precision) {
        return new PlanRequest("train", model, List.of(0.4, 0.5, 0.6), List.of(0.2, 0.3, 0.4), precision,
                Optional.of(new PlanRequest.Training(frozen, s -> new Update.Sgd(0.9, 1e-4, true, 1), 0.1)));
    }

    static PlanRequest evaluate(Graph model) {
        return new PlanRequest("evaluate", model, List.of(0.4, 0.5, 0.6), List.of(0.2, 0.3, 0.4), Precision.FP32,
                Optional.empty());
    }

    static Program program(Kernels kernels, PlanRequest... requests) {
        return new Planner(PlainKernels.TARGET, kernels).plan(requests);
    }

    /** Random states by name. */
    static Map<String, double[]> states(Graph model) {
        Random random = new Random(5);
        Map<String, double[]> states = new TreeMap<>();
        model.states().forEach(s -> states.put(s.name(), RandomNet.state(s, random)));
        return states;
    }

    /** The inputs of a step; the last label is padding. */
    static Map<String, double[]> inputs(Graph model, int step) {
        Random random = new Random(100 + step);
        int batch = model.input("image").shape().n();
        double[] labels = random.ints(batch, 0, model.output("logits").shape().c()).asDoubleStream().toArray();
        if (batch > 1) {
            labels[batch - 1] = -1;
        }
        double[] rates = new double[Rates.SIZE];
        rates[Rates.LEARNING_RATE] = 0.01;
        rates[Rates.STEP] = step + 1;
        double[] counter = new double[Counter.SIZE];
        counter[Counter.SEED_LOW] = 7;
        counter[Counter.STEP] = step;
        double[] pixels = random.ints(model.input("image").shape().elements(), 0, 256).asDoubleStream().toArray();
        return Map.of("pixels", pixels, "labels", labels, "rates", rates, "counter", counter);
    }

    static PlanOracle load(Program program, Map<String, double[]> states) {
        return load(program, states, PlanOracle.Mode.SHADOW);
    }

    static PlanOracle load(Program program, Map<String, double[]> states, PlanOracle.Mode mode) {
        PlanOracle oracle = new PlanOracle(program, mode);
        states.forEach(oracle::state);
        return oracle;
    }

    static void step(PlanOracle oracle, Plan plan, Map<String, double[]> inputs) {
        plan.graph().inputs().forEach(v -> oracle.input(plan, v.name(), inputs.get(v.name())));
        oracle.step(plan);
    }

    /** Steps each request's plan and the reference side by side, the plans one after another over the same states. */
    static void compare(Kernels kernels, int steps, PlanRequest... requests) {
        Program program = program(kernels, requests);
        Graph model = requests[0].model();
        PlanOracle oracle = load(program, states(model));
        Map<String, double[]> states = states(model);
        for (PlanRequest r : requests) {
            Plan plan = program.plan(r.name());
            for (int i = 0; i < steps; i++) {
                // Each step from the plan's own states: over several, a net with few samples a batch norm doubles the
                // last bit's error often enough to hide what is sought.
                Reference reference = new Reference(r, states);
                step(oracle, plan, inputs(model, i));
                GraphOracle.Evaluation expected = reference.step(inputs(model, i));
                close(oracle.output("loss"), expected.output("loss"), "loss of step " + i);
                close(oracle.output("logits"), expected.output("logits"), "logits of step " + i);
                states = new TreeMap<>();
                for (Map.Entry<String, double[]> e : reference.states().entrySet()) {
                    close(oracle.state(e.getKey()), e.getValue(), e.getKey() + " after step " + i);
                    states.put(e.getKey(), oracle.state(e.getKey()));
                }
            }
        }
    }

    static void close(double[] actual, double[] expected, String what) {
        // A gradient that cancels to nothing, such as a bias's before a batch norm, is no measure of its own error.
        double most = 1e-3;
        double error = 0;
        for (int i = 0; i < expected.length; i++) {
            most = Math.max(most, Math.abs(expected[i]));
            error = Math.max(error, Math.abs(actual[i] - expected[i]));
            assertThat(actual[i]).as(what).isNotNaN();
        }
        assertThat(actual).as(what).hasSameSizeAs(expected);
        assertThat(error / most).as(what).isLessThan(TOLERANCE);
    }

    static List<String> names(Graph g, State.Kind kind) {
        return g.states(kind).stream().map(State::name).toList();
    }
}
