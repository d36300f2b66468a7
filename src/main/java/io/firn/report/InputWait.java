package io.firn.report;

/** Says whether input or compute limits a training, on the terminal and on its page alike. */
public final class InputWait {
    private static final double LIMITS = 0.1;

    private InputWait() {
    }

    /** @param share of the time in which the loop waited for images, which limits from a tenth on */
    public static String limit(double share) {
        return share < LIMITS ? "compute" : "input";
    }
}
