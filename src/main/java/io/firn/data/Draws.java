package io.firn.data;

import io.firn.graph.Philox;

/**
 * A short run of random draws that belongs to one place (purpose, seed, epoch, index, repeat) and depends on nothing else, so
 * that workers, resumed runs and ranks all draw the same.
 *
 * <p>Counter layout: the high word is repeat, purpose and epoch, the low word is index and the number of the draw.
 */
final class Draws {
    /** Keeps these draws apart from those that a network makes under the same seed. */
    private static final long DATA_KEY = 0x6669_726E_6461_7461L;

    /** What a run of draws is for. */
    enum Purpose { SHUFFLE, AUGMENT, SPLIT, MIX }

    private final long key;
    private final long high;
    private final long index;
    private int drawn;

    Draws(Purpose purpose, long seed, int epoch, int index) {
        this(purpose, seed, epoch, index, 0);
    }

    /** @param repeat how often the image came before in the epoch; below 2^16 */
    Draws(Purpose purpose, long seed, int epoch, int index, int repeat) {
        this.key = seed ^ DATA_KEY;
        this.high = (long) (purpose.ordinal() | repeat << 8) << 32 | epoch & 0xFFFFFFFFL;
        this.index = (long) index << 32;
    }

    private long next() {
        return Philox.next(key, high, index | drawn++);
    }

    /** Uniform in [0, bound). */
    int below(int bound) {
        return Philox.below((int) next(), bound);
    }

    /** Uniform in [low, high). */
    double between(double low, double high) {
        return low + (high - low) * Philox.uniform(next());
    }

    /** True with probability one half. */
    boolean coin() {
        return (next() & 1) != 0;
    }

    /** Shuffles in place (Fisher–Yates). */
    void shuffle(int[] values) {
        for (int i = values.length - 1; i > 0; i--) {
            int j = below(i + 1);
            int swapped = values[i];
            values[i] = values[j];
            values[j] = swapped;
        }
    }
}
