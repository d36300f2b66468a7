package io.firn.plan;

import io.firn.graph.Clipping;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Phase;
import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Adds what follows the gradients: what takes a loss's scale out of them, clipping, the optimizer's step of each parameter
 * that has an output {@code NAME.grad}, and moving averages. Where gradients are accumulated over micro-batches, the plan of
 * a micro-batch adds them up in states instead, and a plan of its own does the rest.
 *
 * <pre>
 * w.grad   →   f = clip_norm(w.grad, …); w' = sgd(w, w.grad, rates, f); w.ema' = average(w.ema, w', rates)
 * w.grad   →   w.gradient' = accumulate(w.gradient, w.grad, rates)
 * </pre>
 */
final class UpdatePass {
    private final PlanRequest.Training training;
    private final GraphBuilder b;
    private final Value rates;

    private UpdatePass(GraphBuilder b, PlanRequest.Training training) {
        this.b = b;
        this.training = training;
        rates = b.phase(Phase.OPTIMIZER).inputOnce("rates", Rates.TYPE);
    }

    /** To a graph with gradients. */
    static Graph run(Graph g, PlanRequest.Training training) {
        UpdatePass pass = new UpdatePass(GraphBuilder.from(g), training);
        SequencedMap<State, Value> gradients = new LinkedHashMap<>();
        g.states(State.Kind.PARAMETER).stream().filter(s -> g.outputs().containsKey(s.name() + ".grad"))
                .forEach(s -> gradients.put(s, g.outputs().get(s.name() + ".grad")));
        if (training.extras().part() == PlanRequest.Part.ACCUMULATE) {
            pass.accumulate(gradients);
        } else {
            pass.step(gradients);
            g.updates().keySet().forEach(name -> pass.average(name, g.state(name).value().type(), g.updates().get(name)));
        }
        return pass.b.build();
    }

    /** A graph of its own, which takes the gradients that a model's micro-batches have added up. */
    static Graph apply(Graph model, PlanRequest.Training training, boolean scaled) {
        Set<String> frozen = FreezePass.withWholeNorms(model, training.frozen());
        UpdatePass pass = new UpdatePass(new GraphBuilder(model), training);
        SequencedMap<State, Value> gradients = new LinkedHashMap<>();
        for (State s : model.states(State.Kind.PARAMETER)) {
            if (!frozen.contains(s.name())) {
                pass.b.copyState(s);
                gradients.put(s, pass.b.state(State.Kind.GRADIENT, State.gradient(s.name()), s.value().type()));
            }
        }
        if (scaled && !gradients.isEmpty()) {
            pass.b.state(State.Kind.OPTIMIZER, Scaling.STATE, Scaling.TYPE);
        }
        pass.step(gradients);
        if (training.extras().averages()) {
            for (Node n : model.nodes()) {
                if (n.op() instanceof Normalization.BatchNorm && !frozen.contains(n.input(1).name())) {
                    for (Value statistic : n.inputs().subList(3, 5)) {
                        pass.b.copyState(model.state(statistic.name()));
                        pass.average(statistic.name(), statistic.type(), statistic);
                    }
                }
            }
        }
        return pass.b.build();
    }

    private void accumulate(Map<State, Value> gradients) {
        gradients.forEach((s, gradient) -> {
            String name = State.gradient(s.name());
            Value sum = b.state(State.Kind.GRADIENT, name, s.value().type());
            b.update(name, b.add(s.name() + ".accumulate", new Update.Accumulate(training.extras().microBatches()), sum,
                    gradient, rates));
        });
    }

    private void step(Map<State, Value> gradients) {
        List<Value> factors = factors(List.copyOf(gradients.values()));
        SequencedMap<State, Value> stepped = new LinkedHashMap<>();
        for (Map.Entry<State, Value> e : gradients.entrySet()) {
            State s = e.getKey();
            Update op = training.optimizer().apply(s);
            List<Value> in = new ArrayList<>(List.of(s.value(), e.getValue()));
            for (String slot : op.slots()) {
                double initial = op instanceof Update.Step step ? step.initial(slot) : 0;
                in.add(b.state(State.Kind.OPTIMIZER, s.name() + "." + slot, s.value().type(), initial));
            }
            in.add(rates);
            in.addAll(factors);
            List<Value> out = b.addAll(s.name() + ".update", op, in);
            b.update(s.name(), out.getFirst());
            stepped.put(s, out.getFirst());
            for (int i = 0; i < op.slots().size(); i++) {
                b.update(s.name() + "." + op.slots().get(i), out.get(i + 1));
            }
        }
        // After all steps, so that one launch can have them all.
        stepped.forEach((s, now) -> average(s.name(), s.value().type(), now));
    }

    /** What a step takes after its rates: the gradient's factor, and the state of a loss's scale, as far as there are such. */
    private List<Value> factors(List<Value> gradients) {
        PlanRequest.Extras extras = training.extras();
        Optional<Value> state = b.state(Scaling.STATE).map(State::value);
        if (gradients.isEmpty() || state.isEmpty() && !extras.clips()) {
            return List.of();
        }
        double most = extras.clips() ? extras.clipNorm() : Double.POSITIVE_INFINITY;
        List<Value> operands = new ArrayList<>(gradients);
        state.ifPresent(operands::addFirst);
        List<Value> out = b.addAll("clip", state.isPresent() ? new Scaling.Unscale(most) : new Clipping.GlobalNorm(most),
                operands);
        b.output("gradient_norm", out.get(1));
        if (state.isEmpty()) {
            return List.of(out.get(0));
        }
        b.update(Scaling.STATE, out.get(2));
        return List.of(out.get(0), out.get(2));
    }

    private void average(String name, Type type, Value now) {
        if (training.extras().averages()) {
            String average = State.average(name);
            Value before = b.state(State.Kind.AVERAGE, average, type);
            b.update(average, b.add(average, new Update.Average(training.extras().average()), before, now, rates));
        }
    }
}
