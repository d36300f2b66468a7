package io.firn.weights;

import io.firn.graph.Shape;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;

/**
 * The content of a weight file.
 *
 * @param tensors  by torchvision's names, in the file's order
 * @param metadata free text by key, such as classes and preprocessing
 */
public record Weights(SequencedMap<String, Tensor> tensors, Map<String, String> metadata) {
    /** Ends the name of a batch norm's number of batches, which is in files only: PyTorch's int64 scalar. */
    static final String COUNT = ".num_batches_tracked";
    static final String VARIANCE = ".running_var";

    public Weights {
        tensors = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors));
        // Sorted, so that the same weights make the same file.
        metadata = Collections.unmodifiableMap(new TreeMap<>(metadata));
    }

    /**
     * These numbers under a network's names and in its order, and each batch norm's number of batches as it is here.
     *
     * @param states shape by name
     * @param data   by name
     */
    public Weights fitted(SequencedMap<String, Shape> states, Map<String, float[]> data, Map<String, String> described) {
        SequencedMap<String, Tensor> fitted = new LinkedHashMap<>();
        states.forEach((name, shape) -> {
            fitted.put(name, new Tensor(shape, data.get(name)));
            if (name.endsWith(VARIANCE)) {
                String count = name.substring(0, name.length() - VARIANCE.length()) + COUNT;
                Optional.ofNullable(tensors.get(count)).filter(t -> t.shape().equals(Shape.SCALAR))
                        .ifPresent(t -> fitted.put(count, t));
            }
        });
        return new Weights(fitted, described);
    }
}
