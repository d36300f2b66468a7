package io.firn.weights;

import java.io.IOException;

/** What is wrong with the content of a weight file; who reads it adds which file. */
final class Malformed extends IOException {
    private static final long serialVersionUID = 1L;

    Malformed(String message, Object... args) {
        super(message.formatted(args));
    }

    /** A name out of a file as it may stand in a message of one line. */
    static String quote(String name) {
        String cut = name.length() <= 80 ? name : name.substring(0, 77) + "...";
        return "'" + cut.replaceAll("\\p{C}", "?") + "'";
    }
}
