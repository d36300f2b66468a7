package io.firn.train;

/** Cells of CSV files (RFC 4180). */
final class Csv {
    private Csv() {
    }

    /** The text, in quotes where it needs them. */
    static String cell(String text) {
        boolean plain = text.chars().noneMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
        return plain ? text : "\"" + text.replace("\"", "\"\"") + "\"";
    }
}
