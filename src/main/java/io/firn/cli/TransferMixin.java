package io.firn.cli;

import java.util.List;
import picocli.CommandLine.Option;

/** How a training goes on from given weights. {@link AskedOptions} reads the values. */
final class TransferMixin {
    @Option(names = "--unfreeze", paramLabel = "EPOCH:SPEC", split = ",",
            description = "What is frozen instead of --freeze from an epoch on, such as 2:until:layer4,5:none.")
    private List<String> unfreeze;

    @Option(names = "--feature-cache", paramLabel = "SIZE|auto|off",
            description = "Compute once what the frozen network before all that is trained says of each image, and train the "
                    + "rest from that. SIZE is the most bytes it may take, such as 4GB; auto: where it saves time (default: "
                    + "off; firn finetune: auto).")
    private String featureCache;

    @Option(names = "--feature-cache-folder", paramLabel = "FOLDER",
            description = "Keep it there for later runs (default: in memory where small, else in the run's folder until "
                    + "the run is done).")
    private String featureCacheFolder;

    @Option(names = "--cache-views", paramLabel = "K",
            description = "Variations of each image in which epochs take turns (default: new ones in each epoch; with a "
                    + "feature cache 4, or 1 without augmentation).")
    private Integer cacheViews;

    @Option(names = "--patience", paramLabel = "N",
            description = "End after so many epochs without a better validation (default: never; firn finetune: 5).")
    private Integer patience;
}
