package io.firn.report;

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Numbers and commands as a page shows them, whatever the user's locale. NaN, which stands for "not measured", is a dash. */
final class Text {
    private static final String NONE = "–";
    private static final Pattern PLAIN_WORD = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

    private Text() {
    }

    static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    static String fixed(double value, int digits) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%,." + digits + "f", value) : NONE;
    }

    /** 0.9154 → "91.54 %". */
    static String percent(double share) {
        return Double.isFinite(share) ? fixed(100 * share, 2) + " %" : NONE;
    }

    static String megabytes(long bytes) {
        return fixed(bytes / 1e6, 1);
    }

    /** 7384 → "2 h 03 min". */
    static String duration(double seconds) {
        if (!Double.isFinite(seconds)) {
            return NONE;
        }
        long s = Math.round(seconds);
        return s < 120 ? fixed(seconds, 1) + " s" : s < 7200 ? "%d min %02d s".formatted(s / 60, s % 60)
                : "%d h %02d min".formatted(s / 3600, s / 60 % 60);
    }

    /** Words as one would type them into a shell. */
    static String command(List<String> words) {
        return words.stream().map(w -> PLAIN_WORD.matcher(w).matches() ? w : "'" + w.replace("'", "'\\''") + "'")
                .collect(Collectors.joining(" "));
    }
}
