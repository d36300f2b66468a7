package io.firn.graph;

/** The integers that change with every step and key its random numbers: places in the graph input {@code counter}. */
public final class Counter {
    public static final int SEED_LOW = 0;
    public static final int SEED_HIGH = 1;
    public static final int STEP = 2;
    /** Number of the micro-batch where gradients are accumulated. */
    public static final int MICRO_STEP = 3;
    /** Place of this batch's first sample in the global batch of all ranks. */
    public static final int FIRST_SAMPLE = 4;
    public static final int SIZE = 8;
    public static final Type TYPE = new Type(DType.I32, Shape.of(SIZE));

    private Counter() {
    }
}
