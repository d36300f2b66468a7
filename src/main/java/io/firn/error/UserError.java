package io.firn.error;

/**
 * A failure that the user can act on: one line that says what was wrong, where, and what to do.
 * Anything else that escapes is a defect of Firn.
 */
public final class UserError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What kind of failure it is, which decides the process's exit code. */
    public enum Kind {
        OTHER(1), USAGE(2), DATA(3), MEMORY(4), DIVERGED(5), STOPPED(75);

        private final int exitCode;

        Kind(int exitCode) {
            this.exitCode = exitCode;
        }

        public int exitCode() {
            return exitCode;
        }
    }

    private final Kind kind;

    public UserError(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    /** A wrong option or combination of options (exit 2). */
    public static UserError usage(String format, Object... args) {
        return new UserError(Kind.USAGE, format.formatted(args));
    }

    /** A wrong, missing or damaged file or data set (exit 3). */
    public static UserError data(String format, Object... args) {
        return new UserError(Kind.DATA, format.formatted(args));
    }

    /** Host or device memory that does not suffice (exit 4). */
    public static UserError memory(String format, Object... args) {
        return new UserError(Kind.MEMORY, format.formatted(args));
    }

    /** Anything else outside Firn's control, such as a full disk (exit 1). */
    public static UserError other(String format, Object... args) {
        return new UserError(Kind.OTHER, format.formatted(args));
    }

    /** This error, with what caused it (shown by {@code --debug}). */
    public UserError causedBy(Throwable cause) {
        initCause(cause);
        return this;
    }

    public Kind kind() {
        return kind;
    }
}
