package io.firn.cli;

import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.plan.Ranks;
import io.firn.train.Defaults;
import io.firn.train.Recipe;
import io.firn.train.StepRequest;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that say what a step is, where there is no data: those of {@code plan} and {@code bench}. */
final class StepMixin {
    @Option(names = "--batch", paramLabel = "N", description = "Images in a step (default: as firn train, 64 small, 32 large).")
    private Integer batch;

    @Option(names = "--mode", paramLabel = "train|infer", defaultValue = "train",
            description = "Train, or compute logits only (default: ${DEFAULT-VALUE}).")
    private StepRequest.Mode mode;

    @Option(names = "--freeze", paramLabel = "SPEC", defaultValue = "none",
            description = "What is not trained: none, head (all but the classifier), until:NAME (all before that module), "
                    + "or modules separated by commas (default: ${DEFAULT-VALUE}).")
    private String freeze;

    @Option(names = "--optimizer", paramLabel = "sgd|adamw|rmsprop|rmsproptf|lars",
            description = "What turns gradients into steps (default: as firn train, adamw for EfficientNets, else sgd).")
    private Recipe.Optimizer optimizer;

    @Option(names = "--deterministic", description = "Choose kernels by estimate, as firn train does with this option.")
    private boolean deterministic;

    @Mixin
    private NetMixin net;

    /** For a single rank. */
    StepRequest request(String model) {
        return request(model, Ranks.ONE);
    }

    /** @param ranks that share the batch */
    StepRequest request(String model, Ranks ranks) {
        if (batch != null && batch % ranks.count() != 0) {
            throw UserError.usage("--batch %d cannot be shared by %d ranks", batch, ranks.count());
        }
        Model built = net.build(model, batch != null ? batch / ranks.count() : 1);
        if (batch == null) {
            built = net.build(model, Defaults.batch(built.options().resolution()));
        }
        return new StepRequest(built, mode, freeze, Optional.ofNullable(optimizer), deterministic,
                ranks);
    }
}
