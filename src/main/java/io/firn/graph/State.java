package io.firn.graph;

/**
 * A named tensor that outlives a step. Its name is torchvision's, or that plus the optimizer's slot.
 *
 * @param initial what an optimizer's slot begins with, in each element
 */
public record State(Kind kind, Value value, double initial) {

    private static final String AVERAGE_SUFFIX = ".ema";
    private static final String GRADIENT_SUFFIX = ".gradient";

    /** What the tensor is for, which decides who may change it and where it is saved. */
    public enum Kind {
        /** Changed by the optimizer, unless frozen. */
        PARAMETER,
        /** A batch norm's running mean or variance: changed by the forward pass, unless frozen. */
        STATISTIC,
        /** A slot of the optimizer, such as momentum. */
        OPTIMIZER,
        /** The moving average of a parameter or statistic, named {@code NAME.ema}: begins as a copy of it. */
        AVERAGE,
        /** The sum of a parameter's gradients over a step's micro-batches, named {@code NAME.gradient}. */
        GRADIENT
    }

    /** One that begins with zeros, or otherwise than by a constant. */
    public State(Kind kind, Value value) {
        this(kind, value, 0);
    }

    /** Name of the moving average of a state. */
    public static String average(String name) {
        return name + AVERAGE_SUFFIX;
    }

    /** Name of the state that this moving average is of. */
    public String averaged() {
        return name().substring(0, name().length() - AVERAGE_SUFFIX.length());
    }

    /** Name of the sum of a parameter's gradients. */
    public static String gradient(String name) {
        return name + GRADIENT_SUFFIX;
    }

    /** Whether a value is such a sum as it was before the step. */
    public static boolean isGradient(Value v) {
        return v.name().endsWith(GRADIENT_SUFFIX);
    }

    public String name() {
        return value.name();
    }
}
