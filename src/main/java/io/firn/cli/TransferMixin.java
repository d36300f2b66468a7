package io.firn.cli;

import java.util.List;
import picocli.CommandLine.Option;

/** How a training goes on from given weights. {@link AskedOptions} reads the values. */
final class TransferMixin {
    @Option(names = "--unfreeze", paramLabel = "EPOCH:SPEC", split = ",",
            description = "What is frozen instead of --freeze from an epoch on, such as 2:until:layer4,5:none.")
    private List<String> unfreeze;

    @Option(names = "--patience", paramLabel = "N",
            description = "End after so many epochs without a better validation (default: never; firn finetune: 5).")
    private Integer patience;
}
