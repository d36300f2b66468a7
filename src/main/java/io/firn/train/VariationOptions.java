package io.firn.train;

import io.firn.data.Mixing;

/**
 * What makes training batches harder beyond {@code --augment}.
 *
 * @param mixup          α of mixup; 0 for none
 * @param cutmix         α of CutMix; 0 for none
 * @param erase          probability of random erasing
 * @param augmentRepeats how often an image comes in a row, each time varied anew
 * @param progressive    {@code none}, or how the images grow: {@link Progressive}
 */
public record VariationOptions(double mixup, double cutmix, double erase, int augmentRepeats, String progressive) {

    public VariationOptions {
        Range.between("mixup", mixup, 0, Double.POSITIVE_INFINITY);
        Range.between("cutmix", cutmix, 0, Double.POSITIVE_INFINITY);
        Range.between("erase", erase, 0, 1);
        Range.atLeast("augment-repeats", augmentRepeats, 1);
        Progressive.of(progressive);
    }

    Mixing mixing() {
        return new Mixing(mixup, cutmix);
    }
}
