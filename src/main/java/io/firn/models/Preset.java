package io.firn.models;

import java.util.List;

/**
 * How a model wants its images: torchvision's preset for the model's first published weights.
 *
 * @param resize pixels of the shorter side after resizing
 * @param crop   pixels of the square cut from the centre, which the network sees
 * @param mean   of each channel, in pixel values between 0 and 1
 * @param std    of each channel, in the same unit
 */
public record Preset(int resize, int crop, List<Double> mean, List<Double> std) {
    private static final List<Double> IMAGENET_MEAN = List.of(0.485, 0.456, 0.406);
    private static final List<Double> IMAGENET_STD = List.of(0.229, 0.224, 0.225);

    public Preset {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    /** A preset with ImageNet's mean and deviation. */
    static Preset imageNet(int resize, int crop) {
        return new Preset(resize, crop, IMAGENET_MEAN, IMAGENET_STD);
    }

    /** The preset for another resolution, which keeps the share that the crop cuts off, and another channel count. */
    Preset fit(int resolution, int channels) {
        int scaled = (int) Math.round((double) resize * resolution / crop);
        return new Preset(scaled, resolution, channels == 1 ? average(mean) : mean, channels == 1 ? average(std) : std);
    }

    // Gray is taken as three equal channels, so it gets their mean; one that is gray already stays as it is.
    private static List<Double> average(List<Double> v) {
        return List.of(v.stream().mapToDouble(Double::doubleValue).average().orElseThrow());
    }
}
