package io.firn.train;

import io.firn.error.UserError;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Progressive resizing (Tan and Le 2021, arXiv 2104.00298): training begins with small images, and they grow to the
 * network's resolution in a few equal phases of the run.
 *
 * @param from  resolution of the first phase
 * @param to    of the last, which is the network's
 * @param steps number of phases
 */
record Progressive(int from, int to, int steps) {
    static final String NONE = "none";
    private static final Pattern FORM = Pattern.compile("(\\d{1,5}):(\\d{1,5}):(\\d{1,3})");

    /** Reads {@code R0:R1:STEPS}; null for {@code none}. */
    static Progressive of(String option) {
        if (option.equals(NONE)) {
            return null;
        }
        Matcher m = FORM.matcher(option);
        if (!m.matches()) {
            throw UserError.usage("--progressive %s: must be FROM:TO:PHASES, such as 128:224:4, or none", option);
        }
        Progressive p = new Progressive(Integer.parseInt(m.group(1)), Integer.parseInt(m.group(2)),
                Integer.parseInt(m.group(3)));
        if (p.from < 1 || p.from >= p.to || p.steps < 2) {
            throw UserError.usage("--progressive %s: must grow, in at least 2 phases", option);
        }
        return p;
    }

    /** The asked options with the last phase's resolution as the network's, which must not be another. */
    static Config settle(Config asked) {
        Progressive p = of(asked.text("progressive").orElse(NONE));
        if (p == null) {
            return asked;
        }
        if (asked.has("max-steps") && !asked.has("epochs")) {
            throw UserError.usage("--progressive divides --epochs into phases: give them");
        }
        if (asked.text("resolution").filter(r -> !r.equals(String.valueOf(p.to))).isPresent()) {
            throw UserError.usage("--progressive %s ends at another resolution than --resolution %s",
                    asked.text("progressive").orElseThrow(), asked.text("resolution").orElseThrow());
        }
        return asked.with("resolution", p.to);
    }

    /** Resolution of each phase. */
    List<Integer> resolutions() {
        return IntStream.range(0, steps).map(i -> (int) Math.round(from + (to - from) * (double) i / (steps - 1))).distinct()
                .boxed().toList();
    }

    /** Resolution of an epoch of a run of that many. */
    int resolution(int epoch, int epochs) {
        int phase = (int) Math.min(steps - 1, (long) epoch * steps / epochs);
        return (int) Math.round(from + (to - from) * (double) phase / (steps - 1));
    }
}
