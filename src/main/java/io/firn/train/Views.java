package io.firn.train;

/** What of each image a network is shown when it is asked. */
public enum Views {
    /** The image alone. */
    NONE,
    /** The image and its mirror image; their logits are averaged. */
    MIRROR
}
