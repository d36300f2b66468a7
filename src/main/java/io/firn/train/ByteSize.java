package io.firn.train;

import io.firn.error.UserError;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as users write them: {@code 500MB}, {@code 8g}; a MB is a million bytes, as in all that Firn prints. */
final class ByteSize {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,6})([kmgt]?)b?", Pattern.CASE_INSENSITIVE);

    private ByteSize() {
    }

    /**
     * Bytes, at least 1.
     *
     * @throws UserError (usage) where it is none, naming the option
     */
    static long of(String option, String size) {
        Matcher m = SIZE.matcher(size.strip());
        long bytes = !m.matches() ? 0 : Long.parseLong(m.group(1)) * switch (m.group(2).toLowerCase(Locale.ROOT)) {
            case "k" -> 1_000L;
            case "m" -> 1_000_000L;
            case "g" -> 1_000_000_000L;
            case "t" -> 1_000_000_000_000L;
            default -> 1L;
        };
        if (bytes == 0) {
            throw UserError.usage("--%s %s: must be a size such as 500MB or 8GB", option, size);
        }
        return bytes;
    }
}
