package io.firn.backend.cpu;

/**
 * The stream of collectives: a thread that runs what is handed to it in order, beside the launches that compute. After a
 * failure it runs nothing more, and whoever waits gets the failure.
 */
final class CollectiveStream implements AutoCloseable {
    private final Executable[] queue;
    private final Thread thread;
    private long handed;
    private long done;
    private Throwable failure;
    private boolean closed;

    /** @param most that are handed over before someone waits for all */
    CollectiveStream(int most) {
        queue = new Executable[most];
        thread = new Thread(this::work, "firn-collectives");
        thread.setDaemon(true);
        thread.start();
    }

    /** Lets {@code e} run after all that was handed over before. */
    synchronized void begin(Executable e) {
        queue[(int) (handed++ % queue.length)] = e;
        notifyAll();
    }

    /**
     * Waits until no more than {@code behind} of those handed over are still to be done.
     *
     * @throws RuntimeException what one of them threw
     */
    synchronized void await(int behind) {
        boolean interrupted = false;
        while (failure == null && handed - done > behind) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        switch (failure) {
            case null -> {
            }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    private void work() {
        while (true) {
            Executable next;
            synchronized (this) {
                while (handed == done && !closed) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        // Nobody interrupts this thread: close tells it to end.
                    }
                }
                if (closed || failure != null) {
                    return;
                }
                next = queue[(int) (done % queue.length)];
            }
            Throwable thrown = null;
            try {
                next.run();
            } catch (Throwable e) {
                thrown = e;
            }
            synchronized (this) {
                done++;
                failure = thrown;
                notifyAll();
            }
        }
    }

    /** Ends the thread, once what it is at is done; its memory may be freed then. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
