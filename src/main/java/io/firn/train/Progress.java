package io.firn.train;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * How far a run is, on standard error: a live bar on a terminal, a plain line every ten seconds elsewhere. Both show the
 * loss, images per second and the time left.
 */
public sealed interface Progress extends AutoCloseable {

    /**
     * Progress of a number of steps, as standard error takes it. The launcher says by {@code firn.terminal} whether that
     * is a terminal (Java can only ask for input and output).
     *
     * @param total steps of the whole run
     * @param done  steps that an earlier process did
     */
    static Progress of(String task, long total, long done, PrintStream err) {
        return Boolean.getBoolean("firn.terminal") ? new Bar(task, total, done, err)
                : new Lines(task, total, done, err, System::nanoTime);
    }

    /** Says that a step is done: steps so far, the loss and the throughput. */
    void step(long step, float loss, double imagesPerS);

    /** Prints a line of its own, such as an epoch's result. */
    void say(String line);

    @Override
    void close();

    private static String numbers(float loss, double imagesPerS) {
        return String.format(Locale.ROOT, "loss %.4f, %s images/s", loss,
                String.format(Locale.ROOT, imagesPerS < 100 ? "%.1f" : "%.0f", imagesPerS));
    }

    /** A bar that is drawn over itself. */
    final class Bar implements Progress {
        private static final int WIDEST = 110;
        private static final int REDRAW_MS = 250;
        /** Clears the line from the cursor on. */
        private static final String CLEAR = "\033[K";

        private final PrintStream err;
        private final ProgressBar bar;
        private final int width = Math.clamp(Integer.getInteger("firn.columns", 80) - 1, 20, WIDEST);

        Bar(String task, long total, long done, PrintStream err) {
            this.err = err;
            // The library's own console consumer would start jline, which takes over the terminal and Ctrl-C.
            bar = new ProgressBarBuilder().setTaskName(task).setInitialMax(total).startsFrom(done, Duration.ZERO)
                    .setStyle(ProgressBarStyle.UNICODE_BLOCK).setUpdateIntervalMillis(REDRAW_MS)
                    .setConsumer(new DelegatingProgressBarConsumer(this::draw, width)).build();
        }

        private synchronized void draw(String line) {
            err.print("\r" + line.stripTrailing() + CLEAR);
            err.flush();
        }

        @Override
        public void step(long step, float loss, double imagesPerS) {
            bar.stepTo(step).setExtraMessage(numbers(loss, imagesPerS));
        }

        @Override
        public synchronized void say(String line) {
            err.println("\r" + line + CLEAR);
        }

        @Override
        public void close() {
            bar.close();
            err.println();
        }
    }

    /** Lines for a log. */
    final class Lines implements Progress {
        private static final long INTERVAL_NS = Duration.ofSeconds(10).toNanos();

        private final String task;
        private final long total;
        private final long done;
        private final PrintStream err;
        private final LongSupplier clock;
        private final long started;
        private long last;

        Lines(String task, long total, long done, PrintStream err, LongSupplier clock) {
            this.task = task;
            this.total = total;
            this.done = done;
            this.err = err;
            this.clock = clock;
            started = clock.getAsLong();
            last = started;
        }

        @Override
        public void step(long step, float loss, double imagesPerS) {
            long now = clock.getAsLong();
            if (now - last < INTERVAL_NS && step < total) {
                return;
            }
            last = now;
            long secondsLeft = Math.round((now - started) / 1e9 / Math.max(1, step - done) * (total - step));
            err.printf(Locale.ROOT, "%s: step %d of %d, %s, %d:%02d:%02d left%n", task, step, total,
                    numbers(loss, imagesPerS), secondsLeft / 3600, secondsLeft / 60 % 60, secondsLeft % 60);
        }

        @Override
        public void say(String line) {
            err.println(line);
        }

        @Override
        public void close() {
            err.flush();
        }
    }
}
