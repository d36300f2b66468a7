package io.firn.train;

import io.firn.plan.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How and where the run is carried out; apart from precision and seed, none of it changes what is learned.
 *
 * @param recipe          the {@link NamedRecipes named recipe} that options come from; null for none
 * @param precision       of products and activations
 * @param device          {@code auto}, {@code cpu} or {@code cuda}
 * @param threads         of computation
 * @param seed            of initialisation, order, augmentation and dropout
 * @param deterministic   whether a second run gives the same bits
 * @param checkpointEvery seconds between checkpoints
 */
public record RunOptions(String recipe, String precision, String device, int threads, long seed, boolean deterministic,
                         int checkpointEvery) {
    private static final String AUTO = "auto";

    public RunOptions {
        precision(precision);
        Range.atLeast("threads", threads, 1);
        Range.atLeast("checkpoint-every", checkpointEvery, 1);
    }

    /**
     * What {@code --precision} says; empty for {@code auto}.
     *
     * @throws io.firn.error.UserError (usage) where it is neither that nor a precision's label
     */
    public static Optional<Precision> precision(String asked) {
        String name = asked.strip().toLowerCase(Locale.ROOT);
        List<String> allowed = new ArrayList<>(List.of(AUTO));
        allowed.addAll(Precision.labels());
        Range.oneOf("precision", name, allowed);
        return Precision.of(name);
    }
}
