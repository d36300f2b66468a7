package io.firn.study;

import io.firn.error.UserError;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a study may cost: time on this machine, or FLOPs of all training steps together. */
public sealed interface Budget {
    Pattern TIME = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*(s|m|min|h|d)");
    Pattern FLOPS = Pattern.compile("(\\d+(?:\\.\\d+)?(?:e\\d+)?)\\s*flops?");

    /** Wall-clock time until the last run is done, as predicted. */
    record Time(double seconds) implements Budget {
    }

    /** Operations of all training steps: 2 for a multiply-add. */
    record Flops(double operations) implements Budget {
    }

    /** {@code 40m}, {@code 1.5h} or {@code 2e15flop}. */
    static Budget of(String option, String text) {
        String t = text.strip().toLowerCase(Locale.ROOT);
        Matcher flops = FLOPS.matcher(t);
        if (flops.matches() && Double.parseDouble(flops.group(1)) > 0) {
            return new Flops(Double.parseDouble(flops.group(1)));
        }
        return new Time(seconds(option, t, ", or FLOPs such as 2e15flop"));
    }

    /** {@code 40m} or {@code 8h} in seconds. */
    static double seconds(String option, String text, String otherwise) {
        Matcher time = TIME.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (!time.matches() || Double.parseDouble(time.group(1)) == 0) {
            throw UserError.usage("--%s %s: give a time such as 40m or 8h%s", option, text, otherwise);
        }
        return Double.parseDouble(time.group(1)) * switch (time.group(2)) {
            case "s" -> 1;
            case "m", "min" -> 60;
            case "h" -> 3600;
            default -> 86_400;
        };
    }
}
