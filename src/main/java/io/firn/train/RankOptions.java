package io.firn.train;

/**
 * How many ranks train together, and what they have in common beside the gradients.
 *
 * @param ranks       each of which takes its share of every batch
 * @param syncBn      whether batch norms take their statistics over the whole batch, and not each rank's share of it
 * @param rankTimeout seconds without a sign of life after which a rank counts as gone
 */
public record RankOptions(int ranks, boolean syncBn, int rankTimeout) {
    public RankOptions {
        Range.atLeast("ranks", ranks, 1);
        Range.atLeast("rank-timeout", rankTimeout, 1);
    }
}
