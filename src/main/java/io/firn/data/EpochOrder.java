package io.firn.data;

import io.firn.error.UserError;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which image lies in which slot of which batch of an epoch: a pure function of seed and epoch, so that a resumed run
 * goes on where it stopped. Every rank computes the same order and takes its share of each global batch.
 *
 * @param order   image indices by position in the epoch
 * @param batches that this epoch has
 */
record EpochOrder(LoaderOptions options, int epoch, int[] order, int batches) {
    /** Images that sets in several files are shuffled among, beyond the order of the files. */
    static final int WINDOW = 8192;

    /** @param shards see {@link Dataset#shards} */
    static EpochOrder of(LoaderOptions options, int size, int[] shards, int epoch) {
        int[] order = IntStream.range(0, size).toArray();
        if (options.shuffle()) {
            Draws draws = new Draws(Draws.Purpose.SHUFFLE, options.seed(), epoch, 0);
            if (shards.length == 1) {
                draws.shuffle(order);
            } else {
                order = shuffled(size, shards, draws);
            }
        }
        return new EpochOrder(options, epoch, order, batches(options, size));
    }

    /**
     * The files in a random order, and their images through a window from which each next one is drawn: near to each other
     * in time are only a few files, which the system reads ahead.
     */
    private static int[] shuffled(int size, int[] shards, Draws draws) {
        int[] files = IntStream.range(0, shards.length).toArray();
        draws.shuffle(files);
        int[] coming = Arrays.stream(files)
                .flatMap(f -> IntStream.range(shards[f], f + 1 < shards.length ? shards[f + 1] : size)).toArray();
        int[] window = Arrays.copyOf(coming, Math.min(WINDOW, size));
        int[] order = new int[size];
        int left = window.length;
        for (int i = 0, next = window.length; i < size; i++) {
            int drawn = draws.below(left);
            order[i] = window[drawn];
            window[drawn] = next < size ? coming[next++] : window[--left];
        }
        return order;
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
