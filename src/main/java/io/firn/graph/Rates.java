package io.firn.graph;

/** The numbers that change with every step and steer the optimizer: places in the graph input {@code rates}. */
public final class Rates {
    /** The learning rate before each parameter's own factor. */
    public static final int LEARNING_RATE = 0;
    /** Optimizer steps done, this one included (AdamW's bias correction). */
    public static final int STEP = 1;
    public static final int SIZE = 8;
    public static final Type TYPE = Type.f32(SIZE);

    private Rates() {
    }
}
