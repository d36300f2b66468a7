package io.firn.train;

import io.firn.error.UserError;
import io.firn.models.ModelOptions;
import java.util.List;
import java.util.OptionalDouble;

/**
 * Which network, and from what it starts. Null means the model's own.
 *
 * @param model      a name of {@code firn models}
 * @param classes    outputs of the classifier
 * @param channels   of the input: 1 or 3
 * @param resolution pixels of the square input's side
 * @param width      factor of the channels
 * @param depth      factor of the repeats in a stage
 * @param phi        compound coefficient, in place of width and depth
 * @param dropout    probability before the classifier
 * @param dropPath   probability of the last block's stochastic depth
 * @param init       a weight file to start from, or a run folder; null for random weights
 * @param freeze     what is not trained: {@code none}, {@code head}, {@code until:NAME} or names
 */
public record NetOptions(String model, int classes, int channels, int resolution, Double width, Double depth, Double phi,
                         Double dropout, Double dropPath, String init, String freeze) {
    private static final int LARGEST_RESOLUTION = 4096;

    public NetOptions {
        if (model == null || model.isBlank()) {
            throw missing();
        }
        Range.atLeast("classes", classes, 1);
        if (channels != 1 && channels != 3) {
            throw UserError.usage("--channels %d: must be 1 (gray) or 3 (colour)", channels);
        }
        Range.between("resolution", resolution, 1, LARGEST_RESOLUTION);
        for (var factor : List.of(new Factor("width", width), new Factor("depth", depth))) {
            if (factor.value != null) {
                Range.positive(factor.name, factor.value);
                if (phi != null) {
                    throw UserError.usage("--phi and --%s exclude each other: phi sets both factors", factor.name);
                }
            }
        }
        if (phi != null) {
            Range.between("phi", phi, 0, 20);
        }
        if (dropout != null) {
            Range.below("dropout", dropout, 0, 1);
        }
        if (dropPath != null) {
            Range.below("drop-path", dropPath, 0, 1);
        }
    }

    static UserError missing() {
        return UserError.usage("--model is missing: `firn models` lists them");
    }

    /** The network's options, for batches of that many images. */
    public ModelOptions modelOptions(int batch) {
        return new ModelOptions(batch, classes, channels, resolution, optional(dropout), optional(dropPath),
                optional(width), optional(depth), optional(phi));
    }

    private static OptionalDouble optional(Double value) {
        return value == null ? OptionalDouble.empty() : OptionalDouble.of(value);
    }

    private record Factor(String name, Double value) {
    }
}
