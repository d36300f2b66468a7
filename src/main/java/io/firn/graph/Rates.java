package io.firn.graph;

/** The numbers that change with every step and steer the optimizer: places in the graph input {@code rates}. */
public final class Rates {
    /** The learning rate before each parameter's own factor. */
    public static final int LEARNING_RATE = 0;
    /** Optimizer steps done, this one included (AdamW's bias correction). */
    public static final int STEP = 1;
    /** Share λ of an image's own label in mixup and CutMix; the rest is its partner's. */
    public static final int MIX = 2;
    /** Share of the gradients accumulated so far that is kept: 0 at a step's first micro-batch, else 1. */
    public static final int KEEP = 3;
    public static final int SIZE = 8;
    public static final Type TYPE = Type.f32(SIZE);

    private Rates() {
    }
}
