package io.firn.plan;

import io.firn.graph.Drop;
import io.firn.graph.Graph;
import io.firn.graph.GraphBuilder;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.graph.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Plans what is not trained as evaluation: a frozen batch norm uses its running statistics and never changes them, and
 * nothing is dropped at random where no trainable parameter came before. Evaluation is the case where all is frozen.
 *
 * <pre>
 * batch_norm(x, w, b, rm, rv)   →   scale, shift = bn_affine(w, b, rm, rv); bn_apply(x, scale, shift)
 * drop_path(x, counter)         →   x
 * </pre>
 */
final class FreezePass {
    private FreezePass() {
    }

    /**
     * @param frozen names of parameters that are not trained; naming either affine parameter of a batch norm freezes it
     */
    static Graph run(Graph g, Set<String> frozen) {
        GraphBuilder b = GraphBuilder.rewriting(g);
        Set<String> all = withWholeNorms(g, frozen);
        Set<Value> trained = new HashSet<>();
        for (State s : g.states(State.Kind.PARAMETER)) {
            if (!all.contains(s.name())) {
                trained.add(s.value());
            }
        }
        Set<String> fixed = new HashSet<>();
        for (Node n : g.nodes()) {
            boolean anyTrained = n.inputs().stream().anyMatch(trained::contains);
            switch (n.op()) {
                case Normalization.BatchNorm bn when all.contains(n.input(1).name()) -> {
                    List<Value> affine = b.addAll(n.name() + ".affine", new Normalization.Affine(bn.eps()),
                            n.inputs().subList(1, 5));
                    Value y = b.add(n.name(), new Normalization.Apply(), b.mapped(n.input(0)), affine.get(0),
                            affine.get(1));
                    b.replace(n.output(), y);
                    // The running statistics stay what they are, and below they are no longer updated at all.
                    b.replace(n.outputs().get(3), n.input(3));
                    b.replace(n.outputs().get(4), n.input(4));
                    fixed.add(n.input(3).name());
                    fixed.add(n.input(4).name());
                }
                case Drop d when !anyTrained -> b.replace(n.output(), b.mapped(n.input(0)));
                default -> b.copy(n);
            }
            if (anyTrained) {
                trained.addAll(n.outputs());
            }
        }
        b.copyResults(g);
        Graph whole = b.build();
        return whole.prune(whole.outputs().keySet(),
                whole.updates().keySet().stream().filter(name -> !fixed.contains(name)).toList());
    }

    /** The frozen parameters, and with either affine parameter of a batch norm the other one. */
    static Set<String> withWholeNorms(Graph g, Set<String> frozen) {
        Set<String> all = new HashSet<>(frozen);
        for (Node n : g.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm) {
                String weight = n.input(1).name();
                String bias = n.input(2).name();
                if (all.contains(weight) || all.contains(bias)) {
                    all.add(weight);
                    all.add(bias);
                }
            }
        }
        return all;
    }
}
