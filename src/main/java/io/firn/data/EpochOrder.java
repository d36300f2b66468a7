package io.firn.data;

import io.firn.error.UserError;

/**
 * Which image lies in which slot of which batch of an epoch: a pure function of seed and epoch, so that a resumed run
 * goes on where it stopped. Every rank computes the same order and takes its share of each global batch.
 *
 * @param order   image indices by position in the epoch
 * @param batches that this epoch has
 */
record EpochOrder(LoaderOptions options, int epoch, int[] order, int batches) {
    static EpochOrder of(LoaderOptions options, int size, int epoch) {
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            order[i] = i;
        }
        if (options.shuffle()) {
            new Draws(Draws.Purpose.SHUFFLE, options.seed(), epoch, 0).shuffle(order);
        }
        return new EpochOrder(options, epoch, order, batches(options, size));
    }

    /** Batches in an epoch of a set of {@code size} images. */
    static int batches(LoaderOptions options, int size) {
        long global = (long) options.batch() * options.ranks();
        return (int) (options.dropLast() ? size / global : (size + global - 1) / global);
    }

    /** @throws UserError where training cannot fill a single batch */
    static void check(LoaderOptions options, Dataset set) {
        if (set.size() == 0) {
            throw UserError.data("%s holds no images", set.name());
        }
        if (batches(options, set.size()) == 0) {
            throw UserError.data("%s holds %,d images, fewer than one batch of %,d: lower --batch to at most %,d", set.name(), set.size(),
                    (long) options.batch() * options.ranks(), Math.max(1, set.size() / options.ranks()));
        }
    }

    /** The place in the epoch of a slot of this rank's batch. */
    long position(int batch, int slot) {
        return ((long) batch * options.ranks() + options.rank()) * options.batch() + slot;
    }

    /** How many slots of a batch have an image. */
    int count(int batch) {
        return (int) Math.clamp(order.length - position(batch, 0), 0L, (long) options.batch());
    }

    /** The image at a position, which may go round past the end. Where images repeat, the same one comes in a row. */
    int at(long position) {
        return order[(int) (position / options.repeats() % order.length)];
    }

    /** How often the image at a position came right before in the epoch. */
    int repeat(long position) {
        return (int) (position % options.repeats());
    }
}
