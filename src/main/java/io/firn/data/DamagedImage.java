package io.firn.data;

/**
 * One image that cannot be used, with where it is and why. Training skips and counts it; nothing that reads a
 * single image may take it as fatal for a whole data set.
 */
public final class DamagedImage extends Exception {
    private static final long serialVersionUID = 1L;

    private final String file;
    private final String reason;

    /**
     * @param file   as {@link Dataset#describe} names it
     * @param reason what is wrong with it, as the end of a sentence: "truncated: no IEND chunk"
     */
    public DamagedImage(String file, String reason) {
        super(file + ": " + reason);
        this.file = file;
        this.reason = reason;
    }

    /** Where the image is: a file, or "index 17 of FILE". */
    public String file() {
        return file;
    }

    /** What is wrong with it. */
    public String reason() {
        return reason;
    }
}
