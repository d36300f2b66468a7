package io.firn.cli;

import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How weights are trained. {@link AskedOptions} reads the values; what is left out gets a default that suits the images. */
final class RecipeMixin {
    @Mixin
    private UpdateMixin update;

    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the images (default: 30 small, 90 large).")
    private Integer epochs;

    @Option(names = "--max-steps", paramLabel = "N", description = "Steps after which training ends in any case.")
    private Long maxSteps;

    @Option(names = "--batch", paramLabel = "N|auto",
            description = "Images in a step; auto takes as many as fit into the memory, at most 1024 and a tenth of "
                    + "the images (default: 64 small, 32 large).")
    private String batch;

    @Option(names = "--lr", paramLabel = "F", description = "Learning rate after warm-up (default: by optimizer and batch).")
    private Double rate;

    @Option(names = "--progressive", paramLabel = "FROM:TO:PHASES",
            description = "Begin with small images that grow in equal phases of the run, such as 128:224:4 "
                    + "(default: none).")
    private String progressive;

    @Option(names = "--schedule", paramLabel = "constant|cosine|step",
            description = "The learning rate's curve after warm-up (default: cosine).")
    private String schedule;

    @Option(names = "--milestones", paramLabel = "E", split = ",", description = "Epochs at which step lowers the rate.")
    private List<Double> milestones;

    @Option(names = "--decay-epochs", paramLabel = "F", description = "With step: lower the rate every so many epochs.")
    private Double decayEpochs;

    @Option(names = "--gamma", paramLabel = "F", description = "Factor of the rate at each milestone (default: 0.1).")
    private Double gamma;

    @Option(names = "--warmup-epochs", paramLabel = "N",
            description = "Epochs of linear warm-up, fractions allowed (default: 5 %% of the run).")
    private Double warmupEpochs;

    @Option(names = "--augment", paramLabel = "none|flip|standard|trivial|rand|auto",
            description = "How training images are varied: standard also crops; then TrivialAugment, RandAugment or "
                    + "AutoAugment (default: flip for short runs on small images, else standard).")
    private String augment;

    @Option(names = "--augment-repeats", paramLabel = "N",
            description = "How often each image comes in a row, varied anew (default: 1).")
    private Integer augmentRepeats;

    @Option(names = "--erase", paramLabel = "P", description = "Probability that a rectangle is blanked out (default: 0).")
    private Double erase;

    @Option(names = "--no-shuffle", description = "Take the images in the set's own order.")
    private boolean noShuffle;
}
