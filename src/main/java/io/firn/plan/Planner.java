package io.firn.plan;

import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Loss;
import io.firn.graph.Rates;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Compiles models into plans. {@link #passes} is the list of what happens to the graph, in order. */
public final class Planner {
    private final Target target;
    private final Kernels kernels;

    public Planner(Target target, Kernels kernels) {
        this.target = target;
        this.kernels = kernels;
    }

    /** A pass over the graph, with the name under which tests and errors speak of it. */
    record Pass(String name, UnaryOperator<Graph> run) {
    }

    /** What turns a model's graph into the step's, before it is cut into launches. */
    List<Pass> passes(PlanRequest r) {
        List<Pass> passes = new ArrayList<>();
        if (r.training().isPresent() && r.training().get().extras().part() == PlanRequest.Part.APPLY) {
            passes.add(new Pass("apply", g -> UpdatePass.apply(g, r.training().get(), r.precision().scalesLoss())));
            return passes;
        }
        passes.add(new Pass("input", g -> InputPass.run(g, r.mean(), r.std(), r.precision().activation())));
        Set<String> frozen = r.training().map(t -> FreezePass.withWholeNorms(r.model(), t.frozen()))
                .orElseGet(r::allParameters);
        passes.add(new Pass("freeze", g -> FreezePass.run(g, frozen)));
        r.cut().ifPresent(c -> passes.add(new Pass("cut", g -> CutPass.run(g, c))));
        if (!r.averaged().isEmpty()) {
            passes.add(new Pass("average", g -> AveragePass.run(g, r.averaged())));
        }
        if (r.cut().map(PlanRequest.Cut::side).orElse(PlanRequest.Cut.Side.AFTER) == PlanRequest.Cut.Side.AFTER) {
            passes.add(new Pass("loss", g -> loss(g, r.training())));
        }
        r.training().ifPresent(t -> {
            passes.add(new Pass("differentiate", g -> DifferentiatePass.run(g, g.states(State.Kind.PARAMETER).stream()
                    .filter(s -> !frozen.contains(s.name())).map(State::value).toList(),
                    r.precision().scalesLoss())));
            passes.add(new Pass("collectives", g -> CollectivePass.run(g, t.ranks())));
            passes.add(new Pass("update", g -> UpdatePass.run(g, t)));
            passes.add(new Pass("gradients are inner values", Planner::withoutGradientOutputs));
        });
        passes.add(new Pass("fold batch norm", FoldPass::run));
        passes.add(new Pass("split batch norm", g -> SplitPass.run(g, r.syncedRanks())));
        passes.add(new Pass("recompute", g -> RecomputePass.run(g, kernels)));
        passes.add(new Pass("pack", g -> PackPass.run(g, kernels)));
        passes.add(new Pass("slice", g -> SlicePass.run(g, kernels)));
        return passes;
    }

    /** A plan for each request, all over one state: what they name alike is the same tensor. */
    public Program plan(PlanRequest... requests) {
        List<Graph> graphs = new ArrayList<>();
        List<State> states = new ArrayList<>();
        for (PlanRequest r : requests) {
            Graph g = r.model();
            for (Pass p : passes(r)) {
                try {
                    g = p.run().apply(g);
                } catch (IllegalArgumentException | IllegalStateException e) {
                    throw new IllegalStateException("pass '%s' of plan %s: %s".formatted(p.name(), r.name(),
                            e.getMessage()), e);
                }
            }
            graphs.add(g);
            states.addAll(r.model().states());
            states.addAll(g.states());
        }
        StateLayout layout = StateLayout.of(states);
        List<Plan> plans = new ArrayList<>();
        for (int i = 0; i < requests.length; i++) {
            Plan plan = new LowerPass(graphs.get(i), requests[i], target, kernels, layout).run();
            VerifyPass.run(plan);
            plans.add(plan);
        }
        return new Program(plans, layout);
    }

    private static Graph loss(Graph g, Optional<PlanRequest.Training> training) {
        GraphBuilder b = GraphBuilder.from(g);
        Value logits = g.output("logits");
        Type labels = new Type(DType.I32, Shape.of(logits.shape().n()));
        List<Value> operands = new ArrayList<>(List.of(logits, b.inputOnce("labels", labels)));
        if (training.isPresent() && training.get().extras().mixed()) {
            operands.add(b.inputOnce("partners", labels));
            operands.add(b.inputOnce("rates", Rates.TYPE));
        }
        double smoothing = training.map(PlanRequest.Training::smoothing).orElse(0.0);
        b.output("loss", b.addAll("loss", new Loss.SoftmaxCrossEntropy(smoothing), operands).getFirst());
        return b.build();
    }

    private static Graph withoutGradientOutputs(Graph g) {
        SequencedMap<String, Value> kept = new LinkedHashMap<>();
        for (Map.Entry<String, Value> e : g.outputs().entrySet()) {
            if (!e.getKey().endsWith(".grad")) {
                kept.put(e.getKey(), e.getValue());
            }
        }
        return g.prune(kept.keySet(), g.updates().keySet());
    }
}
