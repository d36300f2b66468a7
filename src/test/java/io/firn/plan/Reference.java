package io.firn.plan;

import io.firn.graph.Derivatives;
import io.firn.graph.Drop;
import io.firn.graph.DType;
import io.firn.graph.Elementwise;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Loss;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.graph.Type;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.oracle.GraphOracle;
import io.firn.oracle.Interpreter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a plan must compute, without planning: the model as it is, gradients towards every parameter, then the optimizer.
 * Of freezing it takes over only what the design allows it to change: frozen batch norms are in evaluation mode, nothing
 * is dropped before the first trained parameter, and frozen parameters stay as they are.
 */
final class Reference {
    private final PlanRequest request;
    private final Graph graph;
    private final Set<String> frozen = new HashSet<>();
    private final Map<String, double[]> states = new TreeMap<>();

    Reference(PlanRequest request, Map<String, double[]> states) {
        this.request = request;
        this.states.putAll(states);
        Graph model = request.model();
        Set<String> named = request.training().map(PlanRequest.Training::frozen).orElseGet(() ->
                new HashSet<>(model.states(State.Kind.PARAMETER).stream().map(State::name).toList()));
        frozen.addAll(named);
        for (Node n : model.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm && affine(n).stream().anyMatch(named::contains)) {
                frozen.addAll(affine(n));
            }
        }
        graph = differentiated(withLoss(inMode(model)));
    }

    private static List<String> affine(Node norm) {
        return List.of(norm.input(1).name(), norm.input(2).name());
    }

    /** The states after the steps so far, by name. */
    Map<String, double[]> states() {
        return states;
    }

    /** Computes a step and changes the states; what it gives holds outputs {@code loss} and {@code logits}. */
    GraphOracle.Evaluation step(Map<String, double[]> inputs) {
        Map<String, double[]> given = new HashMap<>(states);
        given.putAll(inputs);
        given.put("image", normalized(inputs.get("pixels")));
        GraphOracle.Evaluation e = GraphOracle.evaluate(graph, given);
        e.graph().updates().keySet().forEach(name -> states.put(name, e.statesAfter().get(name)));
        request.training().ifPresent(t -> {
            for (State s : graph.states(State.Kind.PARAMETER)) {
                if (!frozen.contains(s.name())) {
                    update(s, t.optimizer().apply(s), e.output("grad." + s.name()), inputs.get("rates"));
                }
            }
        });
        return e;
    }

    private void update(State s, Update op, double[] gradient, double[] rates) {
        List<double[]> in = new ArrayList<>(List.of(states.get(s.name()), gradient));
        op.slots().forEach(slot -> in.add(states.getOrDefault(s.name() + "." + slot, new double[gradient.length])));
        in.add(rates);
        List<Type> types = new ArrayList<>();
        in.forEach(d -> types.add(Type.f32(d.length)));
        List<double[]> out = Interpreter.run(op, types, in);
        states.put(s.name(), out.getFirst());
        for (int i = 0; i < op.slots().size(); i++) {
            states.put(s.name() + "." + op.slots().get(i), out.get(i + 1));
        }
    }

    private double[] normalized(double[] pixels) {
        Shape s = request.model().input("image").shape();
        double[] x = new double[pixels.length];
        for (int i = 0; i < x.length; i++) {
            int c = i / s.area() % s.c();
            x[i] = (pixels[i] / 255 - request.mean().get(c)) / request.std().get(c);
        }
        return x;
    }

    private Graph inMode(Graph model) {
        GraphBuilder b = GraphBuilder.rewriting(model);
        Set<Value> trained = new HashSet<>();
        for (Node n : model.nodes()) {
            boolean any = n.inputs().stream().anyMatch(v -> trained.contains(v) || isTrained(model, v));
            if (any) {
                trained.addAll(n.outputs());
            }
            if (n.op() instanceof Normalization.BatchNorm bn && frozen.contains(n.input(1).name())) {
                List<Value> a = b.addAll(n.name() + ".eval", new Normalization.Affine(bn.eps()), n.inputs().subList(1, 5));
                b.replace(n.output(), b.add(n.name(), new Normalization.Apply(), b.mapped(n.input(0)), a.get(0), a.get(1)));
            } else if (n.op() instanceof Drop && !any) {
                b.replace(n.output(), b.mapped(n.input(0)));
            } else {
                b.copy(n);
                if (n.op() instanceof Normalization.BatchNorm) {
                    b.update(n.input(3).name(), n.outputs().get(3));
                    b.update(n.input(4).name(), n.outputs().get(4));
                }
            }
        }
        b.output("logits", b.mapped(model.output("logits")));
        return b.build();
    }

    private boolean isTrained(Graph model, Value v) {
        return !frozen.contains(v.name()) && model.states(State.Kind.PARAMETER).stream().anyMatch(s -> s.value() == v);
    }

    private Graph withLoss(Graph g) {
        GraphBuilder b = GraphBuilder.from(g);
        Value logits = g.output("logits");
        Value labels = b.input("labels", new Type(DType.I32, Shape.of(logits.shape().n())));
        double smoothing = request.training().map(PlanRequest.Training::smoothing).orElse(0.0);
        b.output("loss", b.add("loss", new Loss.SoftmaxCrossEntropy(smoothing), logits, labels));
        return b.build();
    }

    /** Gradients towards every parameter that has one here, frozen or not: all but those of frozen batch norms. */
    private Graph differentiated(Graph g) {
        if (request.training().isEmpty()) {
            return g;
        }
        GraphBuilder b = GraphBuilder.from(g);
        Set<Value> depends = new HashSet<>();
        Set<String> norms = new HashSet<>();
        g.nodes().stream().filter(n -> n.op() instanceof Normalization.Affine).forEach(n -> n.inputs()
                .forEach(v -> norms.add(v.name())));
        g.states(State.Kind.PARAMETER).stream().filter(s -> !norms.contains(s.name())).forEach(s -> depends.add(s.value()));
        for (Node n : g.nodes()) {
            if (n.inputs().stream().anyMatch(depends::contains)) {
                depends.addAll(n.outputs());
            }
        }
        Map<Value, Value> gradients = new HashMap<>();
        for (Node n : g.nodes().reversed()) {
            Value dy = gradients.get(n.output());
            if (!depends.contains(n.output()) || dy == null && !n.output().equals(g.output("loss"))) {
                continue;
            }
            Value[] d = Derivatives.of(b, n, dy, i -> depends.contains(n.input(i)));
            for (int i = 0; i < d.length; i++) {
                if (d[i] != null && depends.contains(n.input(i))) {
                    gradients.merge(n.input(i), d[i], (p, q) -> b.add("sum", new Elementwise.Add(), p, q));
                }
            }
        }
        g.states(State.Kind.PARAMETER).stream().filter(s -> gradients.containsKey(s.value()))
                .forEach(s -> b.output("grad." + s.name(), gradients.get(s.value())));
        return b.build();
    }
}
