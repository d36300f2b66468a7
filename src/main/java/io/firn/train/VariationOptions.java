package io.firn.train;

import io.firn.data.Mixing;

/**
 * What makes training batches harder beyond {@code --augment}.
 *
 * @param mixup          α of mixup; 0 for none
 * @param cutmix         α of CutMix; 0 for none
 * @param erase          probability of random erasing
 * @param augmentRepeats how often an image comes in a row, each time varied anew
 */
public record VariationOptions(double mixup, double cutmix, double erase, int augmentRepeats) {

    public VariationOptions {
        Range.between("mixup", mixup, 0, Double.POSITIVE_INFINITY);
        Range.between("cutmix", cutmix, 0, Double.POSITIVE_INFINITY);
        Range.between("erase", erase, 0, 1);
        Range.atLeast("augment-repeats", augmentRepeats, 1);
    }

    Mixing mixing() {
        return new Mixing(mixup, cutmix);
    }
}
