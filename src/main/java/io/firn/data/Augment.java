package io.firn.data;

/** How training images are varied; {@link Transform} says what each does. Evaluation uses {@code NONE}. */
public enum Augment {
    /** Resize and centre crop, as in evaluation. */
    NONE,
    /** As {@code NONE}, then mirrored left to right with probability one half. */
    FLIP,
    /** Small images: zero padding and a random crop; others: a random resized crop; then as {@code FLIP}. */
    STANDARD,
    /** As {@code STANDARD}, then TrivialAugment Wide. */
    TRIVIAL,
    /** As {@code STANDARD}, then RandAugment. */
    RAND,
    /** As {@code STANDARD}, then AutoAugment: CIFAR-10's policy for small images, ImageNet's for others. */
    AUTO
}
