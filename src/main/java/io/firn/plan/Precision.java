package io.firn.plan;

import io.firn.graph.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** In what type activations are stored and products computed; masters, statistics, losses and sums stay f32. */
public enum Precision {
    FP32(DType.F32), TF32(DType.F32), BF16(DType.BF16), FP16(DType.F16);

    private final DType activation;

    Precision(DType activation) {
        this.activation = activation;
    }

    /** Type of activations, of their gradients, and of packed weights. */
    public DType activation() {
        return activation;
    }

    /** Whether gradients would be too small for it if the loss were not multiplied. */
    public boolean scalesLoss() {
        return this == FP16;
    }

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The precision of that label, in upper or lower case; empty where there is none. */
    public static Optional<Precision> of(String label) {
        return Arrays.stream(values()).filter(p -> p.label().equalsIgnoreCase(label.strip())).findFirst();
    }

    /** The labels of all. */
    public static List<String> labels() {
        return Arrays.stream(values()).map(Precision::label).toList();
    }
}
