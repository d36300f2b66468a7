package io.firn.cli;

import io.firn.Firn;
import io.firn.error.UserError;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import java.util.OptionalDouble;
import picocli.CommandLine.Option;

/** The options that shape a network. */
final class NetMixin {
    @Option(names = "--classes", paramLabel = "N", description = "Outputs of the classifier (default: the data set's, else the model's).")
    private Integer classes;

    @Option(names = "--channels", paramLabel = "1|3", description = "Channels of the images (default: the data set's, else 3).")
    private Integer channels;

    @Option(names = "--resolution", paramLabel = "R", 
            description = "Pixels of the images' side (default: the model's; for small sets such as MNIST, theirs).")
    private Integer resolution;

    @Option(names = "--width", paramLabel = "F", description = "Factor of the channels of every layer.")
    private Double width;

    @Option(names = "--depth", paramLabel = "F", description = "Factor of the number of blocks.")
    private Double depth;

    @Option(names = "--phi", paramLabel = "F",
            description = "Compound coefficient: sets width, depth and resolution together.")
    private Double phi;

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
        return Firn.model(name, new ModelOptions(batch, atLeastOne("classes", classes, 0),
                atLeastOne("channels", channels, 3), atLeastOne("resolution", resolution, 0), optional(dropout),
                optional(dropPath), optional(width), optional(depth), optional(phi)));
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
