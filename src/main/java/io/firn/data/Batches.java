package io.firn.data;

import io.firn.error.UserError;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The batches of one epoch in order, filled ahead by the loader's workers as long as buffers are free. For one
 * consumer thread; batches may be given back from any.
 */
public final class Batches implements Iterator<Batch>, AutoCloseable {
    private final Loader loader;
    private final EpochOrder order;
    private final ArrayDeque<Filling> inFlight = new ArrayDeque<>();
    private int submitted;
    private int delivered;
    private volatile boolean closed;

    Batches(Loader loader, EpochOrder order, int start) {
        this.loader = loader;
        this.order = order;
        this.submitted = start;
        this.delivered = start;
        submit();
    }

    @Override
    public boolean hasNext() {
        return delivered < order.batches();
    }

    /**
     * The next batch, once it is filled.
     *
     * @throws UserError             where every image is damaged, or one cannot be made to fit
     * @throws IllegalStateException where all buffers are lent out: give batches back
     */
    @Override
    public Batch next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Filling filling;
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException("these batches are closed");
            }
            // Buffers may have come back from an epoch before this one.
            submit();
            filling = inFlight.poll();
        }
        if (filling == null) {
            throw new IllegalStateException("all %d buffers are lent out: close batches before asking for more".formatted(loader.buffers().size()));
        }
        delivered++;
        try {
            return filling.await();
        } catch (RuntimeException e) {
            filling.batch.close();
            throw e;
        }
    }

    /** Stops the workers, waits for what they are at, and takes back what was not asked for. Lent batches stay lent. */
    @Override
    public void close() {
        ArrayDeque<Filling> abandoned;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            abandoned = new ArrayDeque<>(inFlight);
            inFlight.clear();
        }
        for (Filling filling : abandoned) {
            filling.awaitIdle();
            filling.batch.close();
        }
        loader.ended(this);
    }

    void recycle(BatchBuffer buffer) {
        loader.giveBack(buffer);
        submit();
    }

    private synchronized void submit() {
        while (!closed && submitted < order.batches()) {
            BatchBuffer buffer = loader.takeFree();
            if (buffer == null) {
                return;
            }
            Filling filling = new Filling(buffer, new Batch(buffer, this, order.epoch(), submitted, order.count(submitted)));
            submitted++;
            inFlight.add(filling);
            loader.execute(filling);
        }
    }

    /** One batch being filled: every worker runs this once and takes slots until none are left. */
    private final class Filling implements Runnable {
        private final BatchBuffer buffer;
        private final Batch batch;
        private final AtomicInteger nextSlot = new AtomicInteger();
        private final AtomicInteger working = new AtomicInteger(loader.options().workers());
        private final CountDownLatch workers = new CountDownLatch(loader.options().workers());
        private volatile Throwable failure;

        Filling(BatchBuffer buffer, Batch batch) {
            this.buffer = buffer;
            this.batch = batch;
        }

        @Override
        public void run() {
            try {
                int slots = loader.options().batch();
                for (int slot = nextSlot.getAndIncrement(); slot < slots && !closed && failure == null; slot = nextSlot.getAndIncrement()) {
                    loader.fill(buffer, slot, order, batch.number());
                }
            } catch (Throwable e) {
                failure = e;
            } finally {
                mixLast();
                workers.countDown();
            }
        }

        /** Images are mixed once all are there, by whoever is done last. */
        private void mixLast() {
            if (working.decrementAndGet() > 0 || closed || failure != null) {
                return;
            }
            try {
                loader.mix(buffer, order.epoch(), batch.number());
            } catch (Throwable e) {
                failure = e;
            }
        }

        Batch await() {
            awaitIdle();
            switch (failure) {
                case null -> {
                    return batch;
                }
                case UserError e -> throw e;
                case OutOfMemoryError e -> throw UserError.memory("an image needs more memory to decode than Java has left: "
                        + "raise -Xmx, lower --workers, or shrink the largest images").causedBy(e);
                case Throwable e -> throw new IllegalStateException("a loader's worker failed", e);
            }
        }

        void awaitIdle() {
            boolean interrupted = false;
            while (true) {
                try {
                    workers.await();
                    break;
                } catch (InterruptedException _) {
                    // A worker may still write into the buffer: it cannot be left.
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
