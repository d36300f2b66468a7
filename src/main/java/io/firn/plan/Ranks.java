package io.firn.plan;

/**
 * The ranks that train one network together, as far as planning asks: each runs the same plan on its share of the batch.
 *
 * @param count       how many
 * @param syncNorms   whether batch norms take their statistics over the global batch, and not each rank's share
 * @param bucketBytes of gradients that one all-reduce waits for: fewer begin earlier, more cost less latency
 */
public record Ranks(int count, boolean syncNorms, long bucketBytes) {
    /** A single one, which exchanges nothing. */
    public static final Ranks ONE = new Ranks(1, false, 1);
    private static final long BUCKET = 25L << 20;

    public Ranks {
        if (count < 1 || bucketBytes < 1) {
            throw new IllegalArgumentException("%d ranks, buckets of %d bytes".formatted(count, bucketBytes));
        }
    }

    /** With buckets of 25 MiB, as PyTorch's (Li et al. 2020, arXiv 2006.15704). */
    public static Ranks of(int count, boolean syncNorms) {
        return new Ranks(count, syncNorms, BUCKET);
    }
}
