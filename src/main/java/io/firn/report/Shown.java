package io.firn.report;

import java.util.stream.IntStream;

/** How many images of a validation a report shows as pictures: what a run keeps pictures of follows from it. */
public final class Shown {
    /** Images whose label the network finds least probable. */
    public static final int WORST = 24;
    /** Pairs of classes that are most often confused. */
    public static final int PAIRS = 6;
    /** Images of each pair, those first that the network is surest of. */
    public static final int OF_A_PAIR = 6;
    /** Images spread evenly over the set. */
    public static final int EXAMPLES = 24;

    private Shown() {
    }

    /** The places of the examples among that many images. */
    public static IntStream examples(int images) {
        int n = Math.min(EXAMPLES, images);
        return IntStream.range(0, n).map(i -> (int) ((long) i * images / n));
    }
}
