package io.firn.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * The threads that run own kernels: the caller and its helpers, which take tasks as they come, spin for some
 * microseconds after the last one and then sleep. A run allocates nothing. One caller at a time.
 */
final class Workers implements AutoCloseable {
    /** Long enough to bridge two launches, short enough to leave the core to oneDNN's threads. */
    private static final long SPIN_NANOS = 30_000;
    private static final long CLOSED = -1;

    /** A piece of work that also wants to know which thread (0 to threads - 1) it runs on. */
    @FunctionalInterface
    interface Task {
        void run(int task, int thread);
    }

    private final Thread[] helpers;
    /** Number of the run in the upper half, the next task to be taken in the lower half. */
    private final AtomicLong ticket = new AtomicLong();
    private final AtomicInteger unfinished = new AtomicInteger();
    /* Of the current run; written before its ticket, hence seen by whoever takes a task of it. */
    private Task task;
    private int tasks;
    private volatile Throwable failure;
    private final Arena arena = Arena.ofShared();
    private MemorySegment[] scratch = {};
    private long scratchBytes;
    private float[][] floats = {};

    Workers(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            int thread = i + 1;
            helpers[i] = new Thread(() -> help(thread), "firn-kernel-" + thread);
            helpers[i].setDaemon(true);
            helpers[i].start();
        }
    }

    int threads() {
        return helpers.length + 1;
    }

    /** Runs the tasks 0 to {@code tasks} - 1, in no particular order, and returns when all are done. */
    void run(int count, IntConsumer body) {
        run(count, (i, thread) -> body.accept(i));
    }

    /** As above; what a task throws is thrown here, after all others have ended. */
    void run(int count, Task body) {
        if (count <= 1 || helpers.length == 0) {
            for (int i = 0; i < count; i++) {
                body.run(i, 0);
            }
            return;
        }
        // A helper that is late for the last run must not take a task of it now that its fields change.
        ticket.set(ticket.get() | Integer.MAX_VALUE);
        failure = null;
        task = body;
        tasks = count;
        unfinished.set(count);
        long run = (ticket.get() >>> 32) + 1 & 0x7FFFFFFF;
        ticket.set(run << 32);
        for (int i = 0; i < Math.min(helpers.length, count - 1); i++) {
            LockSupport.unpark(helpers[i]);
        }
        work(run, 0);
        while (unfinished.get() > 0) {
            Thread.onSpinWait();
        }
        Throwable thrown = failure;
        if (thrown != null) {
            rethrow(thrown);
        }
    }

    /** Takes tasks of that run until there are none. Taking one proves that the run is still on, and its fields valid. */
    private void work(long run, int thread) {
        while (true) {
            long now = ticket.get();
            Task body = task;
            int index = (int) now;
            if (now >>> 32 != run || index >= tasks) {
                return;
            }
            if (ticket.compareAndSet(now, now + 1)) {
                try {
                    body.run(index, thread);
                } catch (Throwable e) {
                    failure = e;
                } finally {
                    unfinished.decrementAndGet();
                }
            }
        }
    }

    private void help(int thread) {
        long done = 0;
        while (true) {
            long begin = System.nanoTime();
            long run;
            while ((run = ticket.get() >> 32) == done) {
                if (System.nanoTime() - begin > SPIN_NANOS) {
                    LockSupport.park(this);
                } else {
                    Thread.onSpinWait();
                }
            }
            if (run == CLOSED) {
                return;
            }
            work(run, thread);
            done = run;
        }
    }

    /** Makes sure that every thread has that much scratch memory. To be called while nothing runs. */
    void reserve(long bytes) {
        if (bytes > scratchBytes) {
            scratchBytes = bytes;
            scratch = new MemorySegment[threads()];
            for (int i = 0; i < scratch.length; i++) {
                scratch[i] = arena.allocate(bytes, Frame.VECTOR);
            }
        }
    }

    /** Address of a thread's scratch memory, whose contents do not outlive a task. */
    long scratch(int thread) {
        return scratch[thread].address();
    }

    /** Makes sure that every thread has that many floats of scratch memory. To be called while nothing runs. */
    void reserveFloats(int count) {
        if (floats.length == 0 || floats[0].length < count) {
            floats = new float[threads()][count];
        }
    }

    /**
     * A thread's scratch memory as an array: in loops that are bound by arithmetic the compiler removes an array's checks,
     * but not those of raw addresses.
     */
    float[] floats(int thread) {
        return floats[thread];
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void rethrow(Throwable e) throws E {
        throw (E) e;
    }

    /** Ends the helpers; closing twice is harmless. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            ticket.set(CLOSED << 32);
            for (Thread t : helpers) {
                LockSupport.unpark(t);
                try {
                    t.join();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            arena.close();
        }
    }
}
