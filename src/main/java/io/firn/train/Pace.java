package io.firn.train;

import io.firn.report.InputWait;
import java.util.Locale;

/** What the steps since the last look came to: images a second, and whether input or compute limits them. */
final class Pace {
    private long images;
    private long ns;
    private long waitNs;

    void add(Progress.Step step) {
        images += step.images();
        ns += step.ns();
        waitNs += step.waitNs();
    }

    /** Nanoseconds of the steps. */
    long ns() {
        return ns;
    }

    double imagesPerS() {
        return images / (Math.max(1, ns) / 1e9);
    }

    /** Share of the time in which the loop waited for images. */
    double inputWait() {
        return waitNs / (double) Math.max(1, ns);
    }

    /** "1558 images/s". */
    String speed() {
        double speed = imagesPerS();
        return String.format(Locale.ROOT, speed < 100 ? "%.1f images/s" : "%.0f images/s", speed);
    }

    /** "compute limits (2 % input wait)". */
    String limit() {
        return String.format(Locale.ROOT, "%s limits (%.0f %% input wait)", InputWait.limit(inputWait()),
                100 * inputWait());
    }

    /** Begins the next look. */
    void restart() {
        images = 0;
        ns = 0;
        waitNs = 0;
    }
}
