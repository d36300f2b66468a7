package io.firn.data;

import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Reads, decodes and transforms a data set's images into batches, ahead of and beside the thread that trains. What
 * is in a batch depends on the set, the options, the epoch and the batch's number, never on the number of workers or
 * on which batch an epoch was started at.
 *
 * <p>A damaged image in training is replaced by the next good one in the epoch's order (going round at its end), which
 * thus comes twice, so that batches stay full and a resumed run sees the same. In evaluation its slot stays empty.
 */
public final class Loader implements AutoCloseable {
    /** Filled ahead while one is trained on and one is copied. */
    private static final int BUFFERS = 4;
    private static final long ALIGNMENT = 4096;

    private final Dataset set;
    private final LoaderOptions options;
    private final Transform transform;
    /** Null where images are decoded. */
    private final Rows rows;
    private final Consumer<DamagedImage> onDamaged;
    private final ConcurrentHashMap<Integer, DamagedImage> damaged = new ConcurrentHashMap<>();
    private final Arena arena = Arena.ofShared();
    private final List<BatchBuffer> ring;
    private final Queue<BatchBuffer> free;
    private final ExecutorService workers;
    private Batches open;
    private boolean closed;

    /** What was computed from each image before, to take the place of its pixels in batches. */
    public interface Rows {
        /** Of one image. */
        int bytes();

        /**
         * Copies an image's bytes.
         *
         * @param view which of its variations
         * @return whether the image could be read
         */
        boolean copy(int index, int view, MemorySegment to, long offset);
    }

    /**
     * Batches of what was computed from the set's images before, in the order in which those would come.
     *
     * @throws UserError as below
     */
    public Loader(Dataset set, LoaderOptions options, Rows rows) {
        this(set, options, _ -> { }, rows);
    }

    /**
     * @param onDamaged told of each damaged image once, from a worker's thread
     * @throws UserError where the set is empty, or in training smaller than one batch
     */
    public Loader(Dataset set, LoaderOptions options, Consumer<DamagedImage> onDamaged) {
        this(set, options, onDamaged, null);
    }

    private Loader(Dataset set, LoaderOptions options, Consumer<DamagedImage> onDamaged, Rows rows) {
        EpochOrder.check(options, set);
        this.set = set;
        this.options = options;
        this.transform = options.transform();
        this.rows = rows;
        this.onDamaged = onDamaged;
        long bytes = options.batch() * slotBytes();
        try {
            this.ring = IntStream.range(0, BUFFERS).mapToObj(_ -> new BatchBuffer(arena.allocate(bytes, ALIGNMENT), options.batch())).toList();
        } catch (OutOfMemoryError e) {
            arena.close();
            throw UserError.memory("the %d buffers for batches of %d images need %,d bytes: lower --batch", BUFFERS, options.batch(), BUFFERS * bytes).causedBy(e);
        }
        this.free = new ConcurrentLinkedQueue<>(ring);
        this.workers = Executors.newFixedThreadPool(options.workers(), Thread.ofPlatform().daemon().name("firn-loader-", 0).factory());
    }

    /** Another loader of the same set, with other options. */
    public Loader with(LoaderOptions other) {
        return new Loader(set, other, onDamaged, rows);
    }

    private long slotBytes() {
        return rows == null ? options.imageBytes() : rows.bytes();
    }

    /** Bytes of memory outside Java's heap that a loader with these options holds from start to end. */
    public static long bufferBytes(LoaderOptions options) {
        return bufferBytes(options, options.imageBytes());
    }

    /** The same where an image takes so many bytes. */
    public static long bufferBytes(LoaderOptions options, long imageBytes) {
        return BUFFERS * imageBytes * options.batch();
    }

    /** Batches in every epoch. */
    public int batchesPerEpoch() {
        return options.batchesPerEpoch(set.size());
    }

    /**
     * Starts an epoch.
     *
     * @param epoch      from 0
     * @param startBatch the first batch to deliver: 0, or where a resumed run left off
     * @throws IllegalStateException while another epoch of this loader is open
     */
    public synchronized Batches epoch(int epoch, int startBatch) {
        if (closed || open != null) {
            throw new IllegalStateException(closed ? "the loader is closed" : "close the epoch before, first");
        }
        if (startBatch < 0 || startBatch > batchesPerEpoch()) {
            throw new IllegalArgumentException("batch %d of %d".formatted(startBatch, batchesPerEpoch()));
        }
        open = new Batches(this, EpochOrder.of(options, set.size(), set.shards(), epoch), startBatch);
        return open;
    }

    /** The memory of all batches, for a device that wants to pin it; it ends with this loader. */
    public List<MemorySegment> buffers() {
        return ring.stream().map(BatchBuffer::images).toList();
    }

    public LoaderOptions options() {
        return options;
    }

    /** Images found damaged so far. */
    public int damagedImages() {
        return damaged.size();
    }

    /** Ends the workers and frees the buffers: batches that are still lent become unreadable. */
    @Override
    public void close() {
        Batches last;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            last = open;
        }
        if (last != null) {
            last.close();
        }
        workers.shutdown();
        boolean interrupted = false;
        while (!workers.isTerminated()) {
            try {
                workers.awaitTermination(1, TimeUnit.MINUTES);
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        arena.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    BatchBuffer takeFree() {
        return free.poll();
    }

    void giveBack(BatchBuffer buffer) {
        free.add(buffer);
    }

    void execute(Runnable filling) {
        for (int i = 0; i < options.workers(); i++) {
            workers.execute(filling);
        }
    }

    synchronized void ended(Batches batches) {
        if (open == batches) {
            open = null;
        }
    }

    /** Fills one slot of a batch; other workers fill the others. */
    void fill(BatchBuffer buffer, int slot, EpochOrder order, int number) {
        long bytes = slotBytes();
        long position = order.position(number, slot);
        // Training tries the images that follow; evaluation only the slot's own.
        int attempts = slot >= order.count(number) ? 0 : options.dropLast() ? set.size() : 1;
        for (int attempt = 0; attempt < attempts; attempt++) {
            int index = order.at(position + (long) attempt * options.repeats());
            if (load(index, options.view(order.epoch()), order.repeat(position), buffer.images(), slot * bytes)) {
                buffer.labels()[slot] = set.label(index);
                buffer.indices()[slot] = index;
                return;
            }
        }
        if (damaged.size() == set.size()) {
            throw UserError.data("all %,d images of %s are damaged; one of them: %s", set.size(), set.name(),
                    damaged.values().iterator().next().getMessage());
        }
        buffer.images().asSlice(slot * bytes, bytes).fill((byte) 0);
    }

    /** Mixes the images of a batch that is filled. */
    void mix(BatchBuffer buffer, int epoch, int number) {
        if (options.mixing().any()) {
            buffer.lambda()[0] = options.mixing().apply(buffer.images(), options.batch(), options.height(), options.width(),
                    options.channels(), new Draws(Draws.Purpose.MIX, options.seed(), epoch, number));
        }
    }

    /** Puts the image's bytes there as the model takes them; false where it is damaged. */
    private boolean load(int index, int epoch, int repeat, MemorySegment to, long offset) {
        if (rows != null) {
            return rows.copy(index, epoch, to, offset);
        }
        if (damaged.containsKey(index)) {
            return false;
        }
        try {
            Image image = set.image(index, size -> transform.reduction(size, epoch, index, repeat));
            byte[] pixels = transform.apply(image, epoch, index, repeat, set.describe(index));
            MemorySegment.copy(pixels, 0, to, ValueLayout.JAVA_BYTE, offset, pixels.length);
            return true;
        } catch (DamagedImage e) {
            if (damaged.putIfAbsent(index, e) == null) {
                onDamaged.accept(e);
            }
            return false;
        }
    }
}
