package io.firn.weights;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/** Brings the names in a file of whatever making to torchvision's, where a rule leaves no doubt, and says so. */
final class Names {
    /** What wrappers put before every name: PyTorch's DataParallel and averaged models, compiled ones, Lightning. */
    private static final List<String> WRAPPERS = List.of("module.", "_orig_mod.", "model.");
    /** An averaged model's own counter, beside the names of what it wraps. */
    private static final String AVERAGED = "n_averaged";

    private Names() {
    }

    /** @param messages takes a line for each thing done */
    static SequencedMap<String, Tensor> torchvision(SequencedMap<String, Tensor> given, List<String> messages) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>(given);
        tensors.remove(AVERAGED);
        for (Optional<String> w = wrapper(tensors); w.isPresent(); w = wrapper(tensors)) {
            String prefix = w.get();
            messages.add("took the prefix '%s' off every name".formatted(prefix));
            tensors = TimmNames.rename(tensors, name -> name.substring(prefix.length()));
        }
        return TimmNames.torchvision(tensors, messages);
    }

    private static Optional<String> wrapper(SequencedMap<String, Tensor> tensors) {
        return WRAPPERS.stream().filter(w -> !tensors.isEmpty()
                && tensors.keySet().stream().allMatch(n -> n.startsWith(w) && n.length() > w.length())).findFirst();
    }
}
