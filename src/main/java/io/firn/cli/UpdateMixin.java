package io.firn.cli;

import picocli.CommandLine.Option;

/**
 * The options of a recipe that decide what a step computes: a training has them, and so has its plan. {@link AskedOptions}
 * reads the values.
 */
final class UpdateMixin {
    @Option(names = "--recipe", paramLabel = "NAME",
            description = "Options that belong together: cifar-resnet, imagenet-resnet, imagenet-resnet-v2, "
                    + "efficientnet. An option that is given beside it wins.")
    private String name;

    @Option(names = "--optimizer", paramLabel = "sgd|adamw|rmsprop|rmsproptf|lars",
            description = "What turns gradients into steps; rmsproptf is TensorFlow's variant (default: sgd; adamw for "
                    + "EfficientNets).")
    private String optimizer;

    @Option(names = "--momentum", paramLabel = "F", description = "Of SGD and RMSprop; AdamW's first beta (default: 0.9).")
    private Double momentum;

    @Option(names = "--weight-decay", paramLabel = "F", description = "Of all parameters (default: by optimizer).")
    private Double weightDecay;

    @Option(names = "--nesterov", description = "Let SGD's momentum look ahead.")
    private boolean nesterov;

    @Option(names = "--no-decay-norms", description = "Leave batch norms and biases out of weight decay.")
    private boolean noDecayNorms;

    @Option(names = "--lr-decay-by-stage", paramLabel = "F",
            description = "Factor of the learning rate from each stage to the one before it (default: 1; with finetune 0.75 "
                    + "where weights are trained below the head).")
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

    @Option(names = "--label-smoothing", paramLabel = "F",
            description = "Share of a label that is spread over all classes (default: 0 small, 0.1 large).")
    private Double labelSmoothing;

    @Option(names = "--mixup", paramLabel = "A",
            description = "Mix images in pairs, in shares drawn from Beta(A, A); 0.2 is usual (default: 0, off).")
    private Double mixup;

    @Option(names = "--cutmix", paramLabel = "A",
            description = "Paste a rectangle of another image, of a share drawn from Beta(A, A); 1 is usual; with --mixup a "
                    + "coin decides (default: 0, off).")
    private Double cutmix;

    @Option(names = "--freeze", paramLabel = "SPEC",
            description = "What is not trained: none, head (all but the classifier), until:NAME, or names (default: none).")
    private String freeze;
}
