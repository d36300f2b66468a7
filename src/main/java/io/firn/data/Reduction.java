package io.firn.data;

/** Says by how much an image may be decoded smaller than it is, once its size is known: JPEG at less cost, others whole. */
@FunctionalInterface
public interface Reduction {
    /** All pixels. */
    Reduction NONE = _ -> 1;

    /** 1, 2, 4 or 8. */
    int of(Size size);
}
