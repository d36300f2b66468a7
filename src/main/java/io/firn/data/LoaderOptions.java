package io.firn.data;

import io.firn.error.UserError;

/**
 * How a {@link Loader} makes batches.
 *
 * @param batch    images in a batch (of this rank)
 * @param height   of a batch's images, in pixels
 * @param width    of a batch's images, in pixels
 * @param channels of a batch's images: 1 or 3
 * @param augment  how images are varied; {@code NONE} for evaluation
 * @param resize   see {@link Transform}; 0 for none
 * @param shuffle  whether each epoch has an order of its own; else the order of the set
 * @param seed     of order and augmentation
 * @param workers  threads that read and decode, at least 1; the result does not depend on it
 * @param dropLast true for training: every batch is full, and damaged images are replaced; false for evaluation: every
 *                 image comes once, and what is damaged or missing in the last batch is a slot without a label
 * @param rank     this process among {@code ranks}, each of which takes its share of every global batch
 * @param ranks    processes that read the same set together
 * @param erasing  what is blanked out of images
 * @param mixing   how images of a batch are mixed
 * @param repeats  how often an image comes in a row, each time varied anew (repeated augmentation, Hoffer et al. 2020, arXiv
 *                 1901.09335); an epoch stays as long, and sees that much less of the set
 * @param views    variations of each image in which epochs take turns; 0 where every epoch has new ones
 */
public record LoaderOptions(int batch, int height, int width, int channels, Augment augment, int resize, boolean shuffle,
        long seed, int workers, boolean dropLast, int rank, int ranks, Erasing erasing, Mixing mixing, int repeats,
        int views) {
    public LoaderOptions {
        if (batch < 1) {
            throw UserError.usage("--batch %d is less than 1", batch);
        }
        if (workers < 1) {
            throw UserError.usage("--workers %d is less than 1", workers);
        }
        if (repeats < 1 || repeats > 1 << 15) {
            throw UserError.usage("--augment-repeats %d is not from 1 to 32768", repeats);
        }
        if (views < 0) {
            throw UserError.usage("--cache-views %d is less than 1", views);
        }
        if (ranks < 1 || rank < 0 || rank >= ranks) {
            throw new IllegalArgumentException("rank %d of %d".formatted(rank, ranks));
        }
    }

    /** For a single process. */
    public LoaderOptions(int batch, int height, int width, int channels, Augment augment, int resize, boolean shuffle, long seed,
            int workers, boolean dropLast) {
        this(batch, height, width, channels, augment, resize, shuffle, seed, workers, dropLast, 0, 1);
    }

    /** Images alone: nothing is blanked out, mixed or repeated. */
    public LoaderOptions(int batch, int height, int width, int channels, Augment augment, int resize, boolean shuffle, long seed,
            int workers, boolean dropLast, int rank, int ranks) {
        this(batch, height, width, channels, augment, resize, shuffle, seed, workers, dropLast, rank, ranks, Erasing.NONE,
                Mixing.NONE, 1, 0);
    }

    /** The same with other threads, which changes no batch. */
    public LoaderOptions withWorkers(int n) {
        return new LoaderOptions(batch, height, width, channels, augment, resize, shuffle, seed, n, dropLast, rank, ranks,
                erasing, mixing, repeats, views);
    }

    /** All images once in the set's order, each varied as these options say. */
    public LoaderOptions inOrder() {
        return new LoaderOptions(batch, height, width, channels, augment, resize, false, seed, workers, false, 0, 1, erasing,
                Mixing.NONE, 1, views);
    }

    /** Which of an image's variations an epoch sees. */
    int view(int epoch) {
        return views == 0 ? epoch : epoch % views;
    }

    /** Batches in an epoch of that many images. */
    public int batchesPerEpoch(int images) {
        return EpochOrder.batches(this, images);
    }

    Transform transform() {
        return new Transform(height, width, channels, augment, resize, seed, erasing);
    }

    /** Bytes of one image. */
    int imageBytes() {
        return Math.multiplyExact(Math.multiplyExact(height, width), channels);
    }
}
