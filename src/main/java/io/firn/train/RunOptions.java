package io.firn.train;

import java.util.List;

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
    private static final List<String> PRECISIONS = List.of("auto", "fp32", "tf32", "bf16", "fp16");

    public RunOptions {
        Range.oneOf("precision", precision, PRECISIONS);
        Range.atLeast("threads", threads, 1);
        Range.atLeast("checkpoint-every", checkpointEvery, 1);
    }
}
