package io.firn.cli;

import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.plan.Ranks;
import io.firn.train.Config;
import io.firn.train.Defaults;
import io.firn.train.NamedRecipes;
import io.firn.train.StepRequest;
import io.firn.train.TrainOptions;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The options that say what a step is, where there is no data: those of {@code plan} and {@code bench}. */
final class StepMixin {
    @Option(names = "--batch", paramLabel = "N", description = "Images in a step (default: as firn train, 64 small, 32 large).")
    private Integer batch;

    @Option(names = "--mode", paramLabel = "train|infer", defaultValue = "train",
            description = "Train, or compute logits only (default: ${DEFAULT-VALUE}).")
    private StepRequest.Mode mode;

    @Option(names = "--deterministic", description = "Choose kernels by estimate, as firn train does with this option.")
    private boolean deterministic;

    @Mixin
    private UpdateMixin update;

    @Mixin
    private NetMixin net;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /** For a single rank. */
    StepRequest request(String model) {
        return request(model, Ranks.ONE);
    }

    /** @param ranks that share the batch */
    StepRequest request(String model, Ranks ranks) {
        Config asked = AskedOptions.of(command, TrainOptions.keys());
        Integer images = NamedRecipes.under(asked).text("batch").map(Integer::valueOf).orElse(null);
        if (images != null && images % ranks.count() != 0) {
            throw UserError.usage("--batch %d cannot be shared by %d ranks", images, ranks.count());
        }
        Model built = net.build(model, images != null ? images / ranks.count() : 1);
        if (images == null) {
            built = net.build(model, Defaults.batch(built.options().resolution()));
        }
        return StepRequest.of(built, mode, asked, ranks);
    }
}
