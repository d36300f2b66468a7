package io.firn.cli;

import java.util.List;
import picocli.CommandLine.Option;

/** How an image becomes a network's input. {@link AskedOptions} reads the values. */
final class PreprocessingMixin {
    @Option(names = "--resize", paramLabel = "none|R",
            description = "Pixels of the shorter side before the centre is cut out; none: images have the size already "
                    + "(default: the model's, as torchvision has it).")
    private String resize;

    @Option(names = "--mean", paramLabel = "M", split = ",",
            description = "Subtracted from pixel values between 0 and 1, a number a channel (default: ImageNet's; built-in "
                    + "sets have their own).")
    private List<Double> mean;

    @Option(names = "--std", paramLabel = "S", split = ",", description = "Divides them afterwards, a number a channel.")
    private List<Double> std;
}
