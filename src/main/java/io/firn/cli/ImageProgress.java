package io.firn.cli;

import java.io.PrintWriter;
import java.util.concurrent.atomic.AtomicLong;

/** How many images are done, on standard error: a live count on a terminal, a line every ten seconds elsewhere. */
final class ImageProgress implements AutoCloseable {
    private static final long TERMINAL_NS = 100_000_000L;
    private static final long LINE_NS = 10_000_000_000L;
    /** Back to the line's start, and clear it. */
    private static final String OVER = "\r\033[K";

    private final PrintWriter err;
    private final boolean terminal;
    private final int total;
    private final AtomicLong next;

    /** @param total images in all */
    ImageProgress(int total, PrintWriter err) {
        this.err = err;
        this.total = total;
        // The launcher says whether standard error is a terminal: Java can only ask for input and output.
        terminal = Boolean.getBoolean("firn.terminal");
        next = new AtomicLong(System.nanoTime() + interval());
    }

    private long interval() {
        return terminal ? TERMINAL_NS : LINE_NS;
    }

    /** Says that so many are done; from any thread. */
    void done(int images) {
        long due = next.get();
        if (System.nanoTime() - due < 0 || !next.compareAndSet(due, System.nanoTime() + interval())) {
            return;
        }
        String line = Console.count(images) + " of " + Console.count(total) + " images read";
        if (terminal) {
            err.print(OVER + line);
        } else {
            err.println(line);
        }
        err.flush();
    }

    @Override
    public void close() {
        if (terminal) {
            err.print(OVER);
            err.flush();
        }
    }
}
