package io.firn.weights;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
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
}
