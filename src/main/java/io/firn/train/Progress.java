package io.firn.train;

import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * How far a run is, on standard error: a live bar on a terminal, a plain line every ten seconds elsewhere. Both show the
 * loss, the learning rate, images per second, the time left, whether input or compute limits, and memory.
 */
public sealed interface Progress extends AutoCloseable {

    /**
     * A step that is done.
     *
     * @param step   steps so far, this one included
     * @param rate   the learning rate that it took
     * @param images that it took
     * @param ns     since the step before
     * @param waitNs of those, in which the loop waited for images
     */
    record Step(long step, float loss, double rate, int images, long ns, long waitNs) {
    }

    /**
     * What the run takes of memory, in bytes.
     *
     * @param planned  what the plans' arenas take
     * @param resident of this process, as it is now
     */
    record Memory(long planned, LongSupplier resident) {
        private List<String> parts() {
            return List.of(megabytes(planned) + " planned", megabytes(resident.getAsLong()) + " resident");
        }

        private static String megabytes(long bytes) {
            return Math.round(bytes / 1e6) + " MB";
        }
    }

    /**
     * Progress of a number of steps, as standard error takes it. The launcher says by {@code firn.terminal} whether that
     * is a terminal (Java can only ask for input and output).
     *
     * @param total steps of the whole run
     * @param done  steps that an earlier process did
     */
    static Progress of(String task, long total, long done, Memory memory, PrintStream err) {
        return Boolean.getBoolean("firn.terminal") ? new Bar(task, total, done, memory, err)
                : new Lines(task, total, done, memory, err, System::nanoTime);
    }

    /** Says that a step is done. */
    void step(Step step);

    /** Prints a line of its own, such as an epoch's result. */
    void say(String line);

    @Override
    void close();

    private static String learning(Step s) {
        return String.format(Locale.ROOT, "loss %.4f, rate %s", s.loss, shortly(s.rate));
    }

    /** Three digits: 0.1, 0.0956, 1.25e-06. */
    private static String shortly(double rate) {
        return rate != 0 && rate < 1e-4 ? String.format(Locale.ROOT, "%.2e", rate)
                : new BigDecimal(rate).round(new MathContext(3)).stripTrailingZeros().toPlainString();
    }

    /** A bar with a line of numbers below it, drawn over themselves. */
    final class Bar implements Progress {
        private static final int WIDEST = 110;
        private static final int REDRAW_MS = 250;
        /** Steps of so long make up the numbers: shorter ones would flicker. */
        private static final long PACE_NS = Duration.ofSeconds(1).toNanos();
        /** Clears the line from the cursor on. */
        private static final String CLEAR = "\033[K";
        private static final String UP = "\033[A";

        private final PrintStream err;
        private final Memory memory;
        private final ProgressBar bar;
        private final int columns = Integer.getInteger("firn.columns", 80) - 1;
        private final Pace pace = new Pace();
        private volatile String below = "";

        Bar(String task, long total, long done, Memory memory, PrintStream err) {
            this.err = err;
            this.memory = memory;
            // The library's own console consumer would start jline, which takes over the terminal and Ctrl-C.
            bar = new ProgressBarBuilder().setTaskName(task).setInitialMax(total).startsFrom(done, Duration.ZERO)
                    .setStyle(ProgressBarStyle.UNICODE_BLOCK).setUpdateIntervalMillis(REDRAW_MS)
                    .setConsumer(new DelegatingProgressBarConsumer(this::draw, Math.clamp(columns, 20, WIDEST))).build();
        }

        private synchronized void draw(String line) {
            err.print("\r" + line.stripTrailing() + CLEAR + "\n\r" + below + CLEAR + UP + "\r");
            err.flush();
        }

        @Override
        public void step(Step s) {
            pace.add(s);
            if (below.isEmpty() || pace.ns() >= PACE_NS) {
                below = fitting(pace.speed(), pace.limit(), memory.parts());
                pace.restart();
            }
            bar.stepTo(s.step).setExtraMessage(learning(s));
        }

        /** As many parts, from the first on, as the terminal is wide enough for: a wrapped line cannot be drawn over. */
        private String fitting(String speed, String limit, List<String> memory) {
            StringBuilder text = new StringBuilder(speed);
            for (String part : List.of(limit, memory.get(0), memory.get(1))) {
                if (text.length() + 2 + part.length() > columns) {
                    break;
                }
                text.append(", ").append(part);
            }
            return text.length() > columns ? "" : text.toString();
        }

        @Override
        public synchronized void say(String line) {
            err.print("\r" + line + CLEAR + "\n" + CLEAR);
            err.flush();
        }

        @Override
        public void close() {
            bar.close();
            err.println("\n");
        }
    }

    /** Lines for a log. */
    final class Lines implements Progress {
        private static final long INTERVAL_NS = Duration.ofSeconds(10).toNanos();

        private final String task;
        private final long total;
        private final long done;
        private final Memory memory;
        private final PrintStream err;
        private final LongSupplier clock;
        private final long started;
        private final Pace pace = new Pace();
        private long last;

        Lines(String task, long total, long done, Memory memory, PrintStream err, LongSupplier clock) {
            this.task = task;
            this.total = total;
            this.done = done;
            this.memory = memory;
            this.err = err;
            this.clock = clock;
            started = clock.getAsLong();
            last = started;
        }

        @Override
        public void step(Step s) {
            pace.add(s);
            long now = clock.getAsLong();
            if (now - last < INTERVAL_NS && s.step < total) {
                return;
            }
            last = now;
            long secondsLeft = Math.round((now - started) / 1e9 / Math.max(1, s.step - done) * (total - s.step));
            err.printf(Locale.ROOT, "%s: step %d of %d, %s, %s, %d:%02d:%02d left, %s, %s%n", task, s.step, total, learning(s),
                    pace.speed(), secondsLeft / 3600, secondsLeft / 60 % 60, secondsLeft % 60, pace.limit(),
                    String.join(", ", memory.parts()));
            pace.restart();
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
