package io.firn.cli;

import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How images are prepared for a network. {@link AskedOptions} reads the values. */
final class ImagesMixin {
    @Mixin
    private PreprocessingMixin preprocessing;

    @Option(names = "--workers", paramLabel = "N", description = "Threads that read and decode (default: by the cores).")
    private Integer workers;
}
