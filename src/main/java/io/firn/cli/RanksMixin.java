package io.firn.cli;

import picocli.CommandLine.Option;

/** How many ranks train together. {@link AskedOptions} reads the values. */
final class RanksMixin {
    @Option(names = "--ranks", paramLabel = "N",
            description = "Ranks in this process that share each batch (default: 1; as many as --device lists, or as Slurm or torchrun started).")
    private Integer ranks;

    @Option(names = "--sync-bn",
            description = "Batch norms take their statistics over the whole batch, not each rank's share of it.")
    private boolean syncBn;

    @Option(names = "--rank-timeout", paramLabel = "SECONDS",
            description = "Silence after which a rank counts as gone (default: 60; ten times that where it lives but hangs).")
    private Integer timeout;
}
