package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.Node;
import io.firn.graph.Normalization;
import io.firn.graph.State;
import io.firn.graph.Update;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * What to plan.
 *
 * @param name     of the plan, unique within its program
 * @param model    a network in its training form, input {@code image} and output {@code logits}
 * @param mean     of each channel, after division by 255
 * @param std      of each channel
 * @param training how to train; empty plans an evaluation
 * @param averaged states in whose place an evaluation reads their moving averages
 * @param cut      which part of the network is meant; empty for all of it
 */
public record PlanRequest(String name, Graph model, List<Double> mean, List<Double> std, Precision precision,
                          Optional<Training> training, Set<String> averaged, Optional<Cut> cut) {

    public PlanRequest {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        averaged = Set.copyOf(averaged);
    }

    /** One that reads no averages. */
    public PlanRequest(String name, Graph model, List<Double> mean, List<Double> std, Precision precision,
                       Optional<Training> training) {
        this(name, model, mean, std, precision, training, Set.of(), Optional.empty());
    }

    /** The same of the network's part on one side of where its frozen prefix ends. */
    public PlanRequest on(Cut.Side side, Set<String> frozen) {
        return new PlanRequest(name, model, mean, std, precision, training, averaged,
                Optional.of(new Cut(side, withWholeNorms(frozen))));
    }

    private Set<String> withWholeNorms(Set<String> frozen) {
        return FreezePass.withWholeNorms(model, frozen);
    }

    /** Whether frozen parameters come before all that is trained, so that the network can be cut between them. */
    public boolean hasPrefix(Set<String> frozen) {
        return !CutPass.run(FreezePass.run(model, allParameters()), new Cut(Cut.Side.BEFORE, withWholeNorms(frozen)))
                .states(State.Kind.PARAMETER).isEmpty();
    }

    /** Names of all parameters of the model. */
    Set<String> allParameters() {
        Set<String> all = new HashSet<>();
        model.states(State.Kind.PARAMETER).forEach(s -> all.add(s.name()));
        return all;
    }

    /**
     * One part of a network that is cut where its frozen prefix ends ({@link CutPass}).
     *
     * @param frozen parameters that are not trained, batch norms whole
     */
    public record Cut(Side side, Set<String> frozen) {
        /** Begins the names of what crosses the cut: outputs of the one part, inputs of the other. */
        public static final String FEATURES = "features#";

        public Cut {
            frozen = Set.copyOf(frozen);
        }

        /** The frozen prefix, or all that follows it. */
        public enum Side { BEFORE, AFTER }
    }

    /** Names of the states that a training keeps moving averages of: what it trains, and the statistics beside. */
    public static Set<String> averaged(Graph model, Set<String> frozen) {
        Set<String> fixed = FreezePass.withWholeNorms(model, frozen);
        Set<String> names = new HashSet<>();
        model.states(State.Kind.PARAMETER).stream().map(State::name).filter(n -> !fixed.contains(n)).forEach(names::add);
        for (Node n : model.nodes()) {
            if (n.op() instanceof Normalization.BatchNorm && !fixed.contains(n.input(1).name())) {
                names.add(n.input(3).name());
                names.add(n.input(4).name());
            }
        }
        return names;
    }

    /** Ranks whose batch norms have their statistics in common. */
    int syncedRanks() {
        return ranks().syncNorms() ? ranks().count() : 1;
    }

    /** The same on a single rank, which computes what each of several does and exchanges nothing. */
    public PlanRequest alone() {
        return new PlanRequest(name, model, mean, std, precision, training.map(t -> t.on(Ranks.ONE)), averaged, cut);
    }

    /** The ranks that step together. */
    Ranks ranks() {
        return training.map(Training::ranks).orElse(Ranks.ONE);
    }

    /**
     * @param frozen    parameters that are not trained
     * @param optimizer the step that each parameter takes
     * @param smoothing of the labels
     * @param extras    beyond the plain step
     * @param ranks     that train together; the model is for one rank's share of the batch
     */
    public record Training(Set<String> frozen, Function<State, Update> optimizer, double smoothing, Extras extras,
                           Ranks ranks) {
        public Training {
            frozen = Set.copyOf(frozen);
        }

        /** The same on several ranks. */
        public Training on(Ranks several) {
            return new Training(frozen, optimizer, smoothing, extras, several);
        }

        /** On a single rank. */
        public Training(Set<String> frozen, Function<State, Update> optimizer, double smoothing, Extras extras) {
            this(frozen, optimizer, smoothing, extras, Ranks.ONE);
        }

        /** The plain step. */
        public Training(Set<String> frozen, Function<State, Update> optimizer, double smoothing) {
            this(frozen, optimizer, smoothing, Extras.NONE);
        }
    }

    /** Which part of a training's step a plan is. */
    public enum Part {
        /** All of it, from pixels to new weights. */
        WHOLE,
        /** One micro-batch: its gradients are added to those before. */
        ACCUMULATE,
        /** The update by the gradients that were added up; it has no images. */
        APPLY
    }

    /**
     * What a training's step has beyond the plain one.
     *
     * @param mixed        whether images are mixed in pairs, so that each has two labels (mixup, CutMix)
     * @param average      decay of the moving averages of all that is trained; 0 for none
     * @param clipNorm     limit of the gradients' global norm; 0 for none
     * @param microBatches whose mean gradient a step takes
     */
    public record Extras(boolean mixed, double average, double clipNorm, int microBatches, Part part) {
        public static final Extras NONE = new Extras(false, 0, 0, 1, Part.WHOLE);

        public Extras {
            if (average < 0 || average >= 1 || clipNorm < 0 || microBatches < 1
                    || microBatches == 1 != (part == Part.WHOLE)) {
                throw new IllegalArgumentException("average %s, norm %s, %d micro-batches, %s".formatted(average, clipNorm,
                        microBatches, part));
            }
        }

        public boolean averages() {
            return average > 0;
        }

        public boolean clips() {
            return clipNorm > 0;
        }

        public Extras withPart(Part other) {
            return new Extras(mixed, average, clipNorm, microBatches, other);
        }
    }
}
