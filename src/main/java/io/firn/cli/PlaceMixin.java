package io.firn.cli;

import picocli.CommandLine.Option;

/** Where a training computes, and what makes it repeatable. {@link AskedOptions} reads the values. */
final class PlaceMixin {
    @Option(names = "--device", paramLabel = "auto|cpu|cuda[:N]",
            description = "Where to compute (default: auto); train takes several GPUs, a rank each: cuda:0,1.")
    private String device;

    @Option(names = "--seed", paramLabel = "N", description = "Of weights, order, augmentation and dropout (default: 0).")
    private Long seed;

    @Option(names = "--deterministic", description = "The same bits in every run on this machine and thread count.")
    private boolean deterministic;
}
