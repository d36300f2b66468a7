package io.firn.plan;

import io.firn.graph.Graph;
import io.firn.graph.State;
import io.firn.graph.Update;
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
 */
public record PlanRequest(String name, Graph model, List<Double> mean, List<Double> std, Precision precision,
                          Optional<Training> training) {

    public PlanRequest {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    /** Ranks whose batch norms have their statistics in common. */
    int syncedRanks() {
        return ranks().syncNorms() ? ranks().count() : 1;
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

    /**
     * What a training's step has beyond the plain one.
     *
     * @param mixed whether images are mixed in pairs, so that each has two labels (mixup, CutMix)
     */
    public record Extras(boolean mixed) {
        public static final Extras NONE = new Extras(false);
    }
}
