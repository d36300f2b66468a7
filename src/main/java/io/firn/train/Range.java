package io.firn.train;

import io.firn.error.UserError;
import java.util.List;

/** Refuses values of options that make no sense, by their long names. */
final class Range {
    private Range() {
    }

    static void atLeast(String option, long value, long least) {
        if (value < least) {
            throw UserError.usage("--%s %d: must be at least %d", option, value, least);
        }
    }

    /** A finite number in [least, most]; an infinite {@code most} sets no limit. */
    static void between(String option, double value, double least, double most) {
        if (!Double.isFinite(value) || value < least || value > most) {
            throw Double.isInfinite(most) ? UserError.usage("--%s %s: must be at least %s", option, text(value), text(least))
                    : UserError.usage("--%s %s: must be from %s to %s", option, text(value), text(least), text(most));
        }
    }

    /** A finite number in [least, below). */
    static void below(String option, double value, double least, double below) {
        if (!(value >= least && value < below)) {
            throw UserError.usage("--%s %s: must be from %s to below %s", option, text(value), text(least), text(below));
        }
    }

    static void positive(String option, double value) {
        if (!Double.isFinite(value) || value <= 0) {
            throw UserError.usage("--%s %s: must be above 0", option, text(value));
        }
    }

    static void oneOf(String option, String value, List<String> allowed) {
        if (!allowed.contains(value)) {
            throw UserError.usage("--%s %s: must be one of %s", option, value, String.join(", ", allowed));
        }
    }

    private static String text(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e9 ? String.valueOf((long) value) : String.valueOf(value);
    }
}
