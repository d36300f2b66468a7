package io.firn.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What is learned, by which network, from which weights. {@link AskedOptions} reads the values. */
final class TaskMixin {
    @Option(names = "--data", paramLabel = "PATH",
            description = "A folder of class folders, tar shards (photos-{000..146}.tar), a CSV or TSV list of images and "
                    + "classes, IDX or CIFAR files, or a built-in name: fashion-mnist.")
    private String data;

    @Option(names = "--init", paramLabel = "WEIGHTS",
            description = "Weights to start from: safetensors, PyTorch's .pth or ONNX with torchvision's (or timm's) names, "
                    + "or a run folder.")
    private Path init;

    @Option(names = "--model", paramLabel = "NAME",
            description = "A name of 'firn models' (default: what the weights say of themselves, as Firn's own do).")
    private String model;

    @Option(names = "--val", paramLabel = "PATH", description = "A set to validate with (default: the data set's own part).")
    private String val;

    @Option(names = "--val-split", paramLabel = "F", description = "Share of the images to hold out for validation.")
    private Double valSplit;
}
