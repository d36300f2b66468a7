package io.firn.cli;

import io.firn.bundle.Bundle;
import io.firn.bundle.Contents;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code firn bundle}. */
@Command(name = "bundle", header = "Packs Firn with a Java runtime into one archive, for machines without Java or a network.",
        footer = {"", "Unpacked, firn/firn is the command. NVIDIA's libraries are those of the machine that it runs on.", "",
                "Example: firn bundle --output firn.tar.gz", "         firn bundle --cuda --output firn-cuda.tar.gz"})
final class BundleCommand implements Runnable {
    @Option(names = "--output", paramLabel = "FILE", defaultValue = "firn.tar.gz",
            description = "The archive (default: ${DEFAULT-VALUE}).")
    private Path file;

    @Option(names = "--cuda", description = "Only what computes on GPUs: smaller, without the CPU backend and image decoding "
            + "(data of IDX or CIFAR files needs none).")
    private boolean cuda;

    @Mixin
    private OutputMixin output;

    @Override
    public void run() {
        Bundle.Made made = Bundle.create(file, cuda ? Contents.CUDA : Contents.ALL, output::say);
        output.print(made, () -> "%s, %s%n".formatted(made.file(), Console.bytes(made.bytes())));
    }
}
