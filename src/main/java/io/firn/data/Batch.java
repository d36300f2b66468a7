package io.firn.data;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A batch of images in off-heap memory that is lent by a {@link Loader}: give it back with {@link #close()} once
 * nothing reads it any more, and its memory is filled anew. That memory ends with the loader.
 *
 * <p>The object is one lending, not the buffer: closing it late or twice cannot disturb the next batch in the same buffer.
 */
public final class Batch implements AutoCloseable {
    private final BatchBuffer buffer;
    private final Batches owner;
    private final int epoch;
    private final int number;
    private final int count;
    private final AtomicBoolean closed = new AtomicBoolean();

    Batch(BatchBuffer buffer, Batches owner, int epoch, int number, int count) {
        this.buffer = buffer;
        this.owner = owner;
        this.epoch = epoch;
        this.number = number;
        this.count = count;
        Arrays.fill(buffer.labels(), -1);
        Arrays.fill(buffer.indices(), -1);
        buffer.lambda()[0] = 1;
    }

    /** The pixels: unsigned bytes, batch x height x width x channels. Slots without an image are zero. */
    public MemorySegment images() {
        return buffer().images();
    }

    /** A class for each slot; -1 where there is no image, or none whose class is known. Valid until given back. */
    public int[] labels() {
        return buffer().labels();
    }

    /** The image's index in the data set for each slot; -1 where there is none. Valid until given back. */
    public int[] indices() {
        return buffer().indices();
    }

    /** The class of the image that a slot's is mixed with ({@link Mixing}). */
    public int partner(int slot) {
        int[] labels = buffer().labels();
        return labels[Mixing.partner(slot, labels.length)];
    }

    /** The share of each image's own label; the rest is its partner's. 1 where nothing is mixed. */
    public double lambda() {
        return buffer().lambda()[0];
    }

    /** How many slots, from the first, belong to the epoch; the rest pads the last batch of an evaluation. */
    public int count() {
        return count;
    }

    /** The epoch that it belongs to, from 0. */
    public int epoch() {
        return epoch;
    }

    /** Its number in the epoch, from 0. */
    public int number() {
        return number;
    }

    /** Gives it back; a second time does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            owner.recycle(buffer);
        }
    }

    private BatchBuffer buffer() {
        if (closed.get()) {
            throw new IllegalStateException("batch %d of epoch %d was given back".formatted(number, epoch));
        }
        return buffer;
    }
}
