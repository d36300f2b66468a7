package io.firn.cli;

import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import java.util.OptionalDouble;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that shape a network. */
final class NetMixin {
    @Mixin
    private SizeMixin size;

    @Option(names = "--dropout", paramLabel = "P", description = "Probability before the classifier.")
    private Double dropout;

    @Option(names = "--drop-path", paramLabel = "P", description = "Probability of the last block's stochastic depth.")
    private Double dropPath;

    /**
     * The network with these options.
     *
     * @throws UserError (usage) for an unknown name and for options that make no sense
     */
    Model build(String name, int batch) {
        return Firn.model(name, new ModelOptions(batch, atLeastOne("classes", size.classes, 0),
                atLeastOne("channels", size.channels, 3), atLeastOne("resolution", size.resolution, 0), optional(dropout),
                optional(dropPath), optional(size.width), optional(size.depth), optional(size.phi)));
    }

    // Zero stands for "the model's own" where options meet models, and is no value that a user can mean.
    private static int atLeastOne(String option, Integer given, int otherwise) {
        if (given != null && given < 1) {
            throw UserError.usage("--%s %d is too small: the smallest that works is 1", option, given);
        }
        return given == null ? otherwise : given;
    }

    private static OptionalDouble optional(Double given) {
        return given == null ? OptionalDouble.empty() : OptionalDouble.of(given);
    }
}
