package io.firn.graph;

/** A named tensor that outlives a step. Its name is torchvision's, or that plus the optimizer's slot. */
public record State(Kind kind, Value value) {

    /** What the tensor is for, which decides who may change it and where it is saved. */
    public enum Kind {
        /** Changed by the optimizer, unless frozen. */
        PARAMETER,
        /** A batch norm's running mean or variance: changed by the forward pass, unless frozen. */
        STATISTIC,
        /** A slot of the optimizer, such as momentum. */
        OPTIMIZER
    }

    public String name() {
        return value.name();
    }
}
