package io.firn.cli;

import picocli.CommandLine.Option;

/** The options that decide which tensors a network has, and its images' size. */
final class SizeMixin {
    @Option(names = "--classes", paramLabel = "N",
            description = "Outputs of the classifier (default: the data set's, else the model's).")
    Integer classes;

    @Option(names = "--channels", paramLabel = "1|3",
            description = "Channels of the images (default: the data set's, else 3).")
    Integer channels;

    @Option(names = "--resolution", paramLabel = "R",
            description = "Pixels of the images' side (default: the model's; for small sets such as MNIST, theirs).")
    Integer resolution;

    @Option(names = "--width", paramLabel = "F", description = "Factor of the channels of every layer.")
    Double width;

    @Option(names = "--depth", paramLabel = "F", description = "Factor of the number of blocks.")
    Double depth;

    @Option(names = "--phi", paramLabel = "F",
            description = "Compound coefficient: sets width, depth and resolution together.")
    Double phi;
}
