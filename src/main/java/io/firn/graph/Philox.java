package io.firn.graph;

/**
 * The counter-based random generator Philox4x32-10: 128 random bits as a pure function of a 64-bit key and a
 * 128-bit counter, so that a draw depends on its place (seed, step, sample, …) and on nothing that ran before.
 *
 * <p>Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011; the reference code's known
 * answers are in the test. Two users must never share a counter under one key: give each a key or a high word of its own.
 */
public final class Philox {
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private Philox() {
    }

    /** Four words of 32 uniformly distributed bits, in the reference code's order. */
    public record Block(int x0, int x1, int x2, int x3) {
        /** Word {@code lane} (0 to 3). */
        public int word(int lane) {
            return switch (lane) {
                case 0 -> x0;
                case 1 -> x1;
                case 2 -> x2;
                case 3 -> x3;
                default -> throw new IndexOutOfBoundsException(lane);
            };
        }
    }

    /**
     * The block at a counter. The reference code's four counter words are, from the first: the low half of
     * {@code counterLo}, its high half, the low half of {@code counterHi}, its high half; its two key words are the
     * low and the high half of {@code key}.
     */
    public static Block block(long key, long counterHi, long counterLo) {
        int c0 = (int) counterLo;
        int c1 = (int) (counterLo >>> 32);
        int c2 = (int) counterHi;
        int c3 = (int) (counterHi >>> 32);
        int k0 = (int) key;
        int k1 = (int) (key >>> 32);
        for (int round = 0; round < ROUNDS; round++) {
            long p0 = (M0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
            long p1 = (M1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
            c0 = (int) (p1 >>> 32) ^ c1 ^ k0;
            c1 = (int) p1;
            c2 = (int) (p0 >>> 32) ^ c3 ^ k1;
            c3 = (int) p0;
            k0 += W0;
            k1 += W1;
        }
        return new Block(c0, c1, c2, c3);
    }

    /** The first 64 bits of the block at a counter: word 0 in the low half, word 1 in the high half. */
    public static long next(long key, long counterHi, long counterLo) {
        Block block = block(key, counterHi, counterLo);
        return (block.x0 & 0xFFFFFFFFL) | (long) block.x1 << 32;
    }

    /** The top 24 bits of a word as a float in [0, 1): every value is exact, and 1 is never reached. */
    public static float uniform(int word) {
        return (word >>> 8) * 0x1p-24f;
    }

    /** The top 53 bits of 64 as a double in [0, 1). */
    public static double uniform(long bits) {
        return (bits >>> 11) * 0x1p-53;
    }

    /**
     * A word as an integer in [0, bound), by multiplying and keeping the high half.
     *
     * @param bound at least 1; the bias is below bound / 2^32
     */
    public static int below(int word, int bound) {
        return (int) ((word & 0xFFFFFFFFL) * bound >>> 32);
    }
}
