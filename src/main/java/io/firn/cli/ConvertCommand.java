package io.firn.cli;

import io.firn.Firn;
import io.firn.train.Converted;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code firn convert}. */
@Command(name = "convert", header = "Writes weights of PyTorch, ONNX or Firn as safetensors or ONNX.",
        description = {"", "Reads safetensors, PyTorch's .pth and ONNX, told apart by their content; nothing in a file is "
                + "run. What is written has torchvision's names, and says what model it is and how its images are prepared, so "
                + "that predict needs nothing else."},
        footer = {"", "Example: firn convert resnet50.pth resnet50.onnx --model resnet50",
                "         firn convert runs/first shoes.onnx",
                "         firn convert runs/a mean.safetensors --average runs/b,runs/c"})
final class ConvertCommand implements Runnable {
    private static final Set<String> KEYS = Set.of("model", "classes", "channels", "resolution", "width", "depth", "phi",
            "resize", "mean", "std");

    @Parameters(index = "0", paramLabel = "IN", description = "A weight file, or a run folder: its best, else last, weights.")
    private Path input;

    @Parameters(index = "1", paramLabel = "OUT", description = "A file whose name ends with .safetensors or .onnx.")
    private Path output;

    @Option(names = "--model", paramLabel = "NAME", description = "For weight files that do not say what model they hold.")
    private String model;

    @Option(names = "--fold", description = "ONNX: make batch norms part of the convolutions. Smaller and faster; such a file "
            + "can be run, and no longer be read as weights.")
    private boolean fold;

    @Option(names = "--average", paramLabel = "FILE", split = ",",
            description = "Write the mean of IN and these weight files or run folders, of the same net and classes.")
    private List<Path> others = List.of();

    @Mixin
    private SizeMixin size;

    @Mixin
    private PreprocessingMixin preprocessing;

    @Mixin
    private OutputMixin result;

    @Spec
    private CommandSpec command;

    @Override
    public void run() {
        Converted c = Firn.convert(input, output, AskedOptions.of(command, KEYS), fold, others, result::say);
        result.print(c, () -> "%s: %s with %s parameters, %s%n".formatted(c.output(), c.model(),
                Console.count(c.parameters()), Console.bytes(c.bytes())));
    }
}
