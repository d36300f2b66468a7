package io.firn.models;

import java.util.OptionalDouble;

/**
 * What may vary about a model; absent values are the model's own.
 *
 * @param batch      images in a batch
 * @param classes    outputs of the classifier; 0 = the model's own (1000; 10 for the nets made for CIFAR)
 * @param channels   of the input: 1 (gray) or 3
 * @param resolution pixels of the square input's side; 0 = the model's own, or what {@code phi} says
 * @param dropout    probability before the classifier; 0 takes it out
 * @param dropPath   probability of the last block's stochastic depth, which falls linearly to 0 at the first
 * @param width      factor of the channels
 * @param depth      factor of the repeats in a stage
 * @param phi        compound coefficient, in place of width and depth (see {@link Scaling})
 */
public record ModelOptions(int batch, int classes, int channels, int resolution, OptionalDouble dropout,
                           OptionalDouble dropPath, OptionalDouble width, OptionalDouble depth, OptionalDouble phi) {

    /** One RGB image in a batch, and all else as the model has it: 1000 classes unless it was made for CIFAR. */
    public static ModelOptions defaults() {
        OptionalDouble own = OptionalDouble.empty();
        return new ModelOptions(1, 0, 3, 0, own, own, own, own, own);
    }

    public ModelOptions withBatch(int n) {
        return new ModelOptions(n, classes, channels, resolution, dropout, dropPath, width, depth, phi);
    }

    public ModelOptions withClasses(int n) {
        return new ModelOptions(batch, n, channels, resolution, dropout, dropPath, width, depth, phi);
    }

    public ModelOptions withChannels(int n) {
        return new ModelOptions(batch, classes, n, resolution, dropout, dropPath, width, depth, phi);
    }

    public ModelOptions withResolution(int pixels) {
        return new ModelOptions(batch, classes, channels, pixels, dropout, dropPath, width, depth, phi);
    }

    public ModelOptions withDropout(double p) {
        return new ModelOptions(batch, classes, channels, resolution, OptionalDouble.of(p), dropPath, width, depth, phi);
    }

    public ModelOptions withDropPath(double p) {
        return new ModelOptions(batch, classes, channels, resolution, dropout, OptionalDouble.of(p), width, depth, phi);
    }

    public ModelOptions withWidth(double factor) {
        return new ModelOptions(batch, classes, channels, resolution, dropout, dropPath, OptionalDouble.of(factor),
                depth, phi);
    }

    public ModelOptions withDepth(double factor) {
        return new ModelOptions(batch, classes, channels, resolution, dropout, dropPath, width,
                OptionalDouble.of(factor), phi);
    }

    public ModelOptions withPhi(double coefficient) {
        return new ModelOptions(batch, classes, channels, resolution, dropout, dropPath, width, depth,
                OptionalDouble.of(coefficient));
    }
}
