package io.firn.models;

import io.firn.error.UserError;
import java.util.OptionalDouble;

/** A row of a family's table: what a named model is by itself, and how its layers follow from resolved options. */
sealed interface Architecture permits EfficientNet, ResNet {
    /** Above this an input or a factor is a slip of the pen. */
    int LARGEST_RESOLUTION = 16_384;
    double LARGEST_FACTOR = 100;
    /** Above this FLOPs and bytes may no longer fit a long. */
    int LARGEST_BATCH = 65_536;

    String name();

    /** The model's own number of classes. */
    int classes();

    /** The model's own preset, whose crop is its own resolution. */
    Preset preset();

    /** Resolution at compound coefficient 0. */
    int baseResolution();

    double dropout();

    double dropPath();

    double width();

    double depth();

    /** Pixels of the image for one of the last map. */
    int stride();

    /** Whether blocks have a path to drop. */
    boolean hasShortcuts();

    Model build(ModelOptions resolved);

    /**
     * Options with every value filled in.
     *
     * @throws UserError (usage) for a value that makes no sense
     */
    default ModelOptions resolve(ModelOptions o) {
        require(o.batch() >= 1, "--batch %d: a batch has at least 1 image", o.batch());
        require(o.batch() <= LARGEST_BATCH, "--batch %d is too large: the largest is %d", o.batch(), LARGEST_BATCH);
        require(o.classes() >= 0, "--classes %d: a classifier has at least 1 class", o.classes());
        require(o.channels() == 1 || o.channels() == 3, "--channels %d: images have 1 or 3 channels", o.channels());
        require(o.phi().isEmpty() || o.width().isEmpty() && o.depth().isEmpty(),
                "--phi sets width and depth itself: give either it or --width and --depth");
        double phi = o.phi().orElse(0);
        require(Double.isFinite(phi), "--phi %s is no number", phi);
        double width = factor("width", o.phi().isPresent() ? Scaling.width(phi) : o.width().orElse(width()));
        double depth = factor("depth", o.phi().isPresent() ? Scaling.depth(phi) : o.depth().orElse(depth()));
        int own = o.phi().isPresent() ? Scaling.resolution(baseResolution(), phi) : preset().crop();
        double dropPath = probability("drop-path", o.dropPath().orElse(dropPath()));
        require(dropPath == 0 || hasShortcuts(), "--drop-path %s: %s has no shortcuts around a dropped path", dropPath,
                name());
        return new ModelOptions(o.batch(), o.classes() == 0 ? classes() : o.classes(), o.channels(),
                resolution(o.resolution() == 0 ? own : o.resolution()),
                OptionalDouble.of(probability("dropout", o.dropout().orElse(dropout()))), OptionalDouble.of(dropPath),
                OptionalDouble.of(width), OptionalDouble.of(depth), OptionalDouble.empty());
    }

    // Every kernel is odd and padded by half of it, so a map of 1 pixel would stay one: what halves it would do nothing.
    private int resolution(int r) {
        int smallest = stride() / 2 + 1;
        require(r >= smallest, "--resolution %d is too small for %s, whose stride is %d: the smallest that works is %d", r,
                name(), stride(), smallest);
        require(r <= LARGEST_RESOLUTION, "--resolution %d is too large: the largest is %d", r, LARGEST_RESOLUTION);
        return r;
    }

    private static double factor(String option, double f) {
        require(f > 0 && f <= LARGEST_FACTOR, "--%s %s: a factor lies above 0 and at most at %s", option, f,
                LARGEST_FACTOR);
        return f;
    }

    private static double probability(String option, double p) {
        require(p >= 0 && p < 1, "--%s %s: a probability lies between 0 and 1, and below 1", option, p);
        return p;
    }

    private static void require(boolean holds, String message, Object... args) {
        if (!holds) {
            throw UserError.usage(message, args);
        }
    }
}
