package io.firn.cli;

import java.util.List;
import picocli.CommandLine.Option;

/** How weights are trained. {@link AskedOptions} reads the values; what is left out gets a default that suits the images. */
final class RecipeMixin {
    @Option(names = "--recipe", paramLabel = "NAME",
            description = "Options that belong together: cifar-resnet, imagenet-resnet, imagenet-resnet-v2, "
                    + "efficientnet. An option that is given beside it wins.")
    private String name;

    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the images (default: 30 small, 90 large).")
    private Integer epochs;

    @Option(names = "--max-steps", paramLabel = "N", description = "Steps after which training ends in any case.")
    private Long maxSteps;

    @Option(names = "--batch", paramLabel = "N|auto",
            description = "Images in a step; auto takes as many as fit into the memory, at most 1024 and a tenth of "
                    + "the images (default: 64 small, 32 large).")
    private String batch;

    @Option(names = "--optimizer", paramLabel = "sgd|adamw|rmsprop|rmsproptf|lars",
            description = "What turns gradients into steps; rmsproptf is TensorFlow's variant (default: sgd; adamw for "
                    + "EfficientNets).")
    private String optimizer;

    @Option(names = "--lr", paramLabel = "F", description = "Learning rate after warm-up (default: by optimizer and batch).")
    private Double rate;

    @Option(names = "--momentum", paramLabel = "F", description = "Of SGD and RMSprop; AdamW's first beta (default: 0.9).")
    private Double momentum;

    @Option(names = "--weight-decay", paramLabel = "F", description = "Of all parameters (default: by optimizer).")
    private Double weightDecay;

    @Option(names = "--nesterov", description = "Let SGD's momentum look ahead.")
    private boolean nesterov;

    @Option(names = "--no-decay-norms", description = "Leave batch norms and biases out of weight decay.")
    private boolean noDecayNorms;

    @Option(names = "--lr-decay-by-stage", paramLabel = "F",
            description = "Factor of the learning rate from each stage to the one before it (default: 1).")
    private Double lrDecayByStage;

    @Option(names = "--clip-norm", paramLabel = "F",
            description = "Limit of the gradients' global norm; steps without finite gradients are skipped "
                    + "(default: 0, off).")
    private Double clipNorm;

    @Option(names = "--grad-accumulation", paramLabel = "N",
            description = "Batches whose mean gradient a step takes (default: 1).")
    private Integer gradAccumulation;

    @Option(names = "--ema", paramLabel = "F",
            description = "Decay of moving averages of the weights, which are what is validated and saved "
                    + "(default: 0, off).")
    private Double ema;

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

    @Option(names = "--label-smoothing", paramLabel = "F",
            description = "Share of a label that is spread over all classes (default: 0 small, 0.1 large).")
    private Double labelSmoothing;

    @Option(names = "--augment", paramLabel = "none|flip|standard|trivial|rand|auto",
            description = "How training images are varied: standard also crops; then TrivialAugment, RandAugment or "
                    + "AutoAugment (default: flip for short runs on small images, else standard).")
    private String augment;

    @Option(names = "--augment-repeats", paramLabel = "N",
            description = "How often each image comes in a row, varied anew (default: 1).")
    private Integer augmentRepeats;

    @Option(names = "--erase", paramLabel = "P", description = "Probability that a rectangle is blanked out (default: 0).")
    private Double erase;

    @Option(names = "--mixup", paramLabel = "A",
            description = "Mix images in pairs, in shares drawn from Beta(A, A); 0.2 is usual (default: 0, off).")
    private Double mixup;

    @Option(names = "--cutmix", paramLabel = "A",
            description = "Paste a rectangle of another image, of a share drawn from Beta(A, A); 1 is usual; with --mixup a "
                    + "coin decides (default: 0, off).")
    private Double cutmix;

    @Option(names = "--no-shuffle", description = "Take the images in the set's own order.")
    private boolean noShuffle;

    @Option(names = "--freeze", paramLabel = "SPEC",
            description = "What is not trained: none, head (all but the classifier), until:NAME, or names (default: none).")
    private String freeze;
}
