package io.firn.graph;

/**
 * Which elements a {@link Drop} keeps: the one definition that every backend repeats bit for bit.
 *
 * <p>Four consecutive indices share a {@link Philox} block. Its key is (seed low, seed high); its counter words are the
 * low 32 bits of index / 4, the op's number, the step, and the micro-step xor the high bits of index / 4. Word
 * index % 4 of the block, its top 24 bits read as a fraction u in [0, 1), decides: kept where u ≥ p. The comparison is
 * one of integers, so that no device's rounding can change it.
 */
public final class Masks {
    private Masks() {
    }

    /**
     * Whether the element or sample at {@code index} survives.
     *
     * @param index {@link #elementIndex} for dropout, the sample's place in the global batch for drop-path
     * @param p     probability of being dropped
     */
    public static boolean keeps(int seedLow, int seedHigh, int step, int microStep, int opId, long index, double p) {
        long block = index >>> 2;
        long key = pair(seedLow, seedHigh);
        long counterLo = pair((int) block, opId);
        long counterHi = pair(step, microStep ^ (int) (block >>> 32));
        return Philox.block(key, counterHi, counterLo).word((int) (index & 3)) >>> 8 >= threshold(p);
    }

    /** The least 24-bit draw that survives: ⌈p · 2²⁴⌉. */
    public static int threshold(double p) {
        return (int) Math.ceil(p * 0x1p24);
    }

    /** Place of element {@code e} (row-major in its sample) of the batch's sample {@code n} in the global batch. */
    public static long elementIndex(int firstSample, int n, long elementsPerSample, long e) {
        return ((long) firstSample + n) * elementsPerSample + e;
    }

    private static long pair(int low, int high) {
        return low & 0xFFFFFFFFL | (long) high << 32;
    }
}
