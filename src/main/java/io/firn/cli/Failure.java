package io.firn.cli;

import io.firn.error.UserError;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.ReadOnlyFileSystemException;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What a failure means to the user: an exit code and one line. */
record Failure(int exitCode, String line) {
    static final int OTHER = UserError.Kind.OTHER.exitCode();
    private static final Pattern ENUM = Pattern.compile("expected one of \\[(.*?)] \\(case-insensitive\\)");

    Failure {
        line = line.strip().replaceAll("\\s*\\R\\s*", " ");
    }

    static Failure of(Throwable thrown) {
        Throwable t = unwrap(thrown);
        return switch (t) {
            case UserError e -> new Failure(e.kind().exitCode(), e.getMessage());
            case ParameterException e -> new Failure(UserError.Kind.USAGE.exitCode(), usage(e));
            case OutOfMemoryError e -> new Failure(UserError.Kind.MEMORY.exitCode(), "out of memory (" + e.getMessage()
                    + "); lower --batch or --resolution, or raise Java's heap by FIRN_JAVA_OPTS=-Xmx8g");
            case IOException e -> new Failure(OTHER, describe(e));
            case ReadOnlyFileSystemException e -> new Failure(OTHER, "the file system is read-only; choose another place");
            default -> new Failure(OTHER, "internal error: %s: %s; run again with --debug for the trace"
                    .formatted(t.getClass().getName(), t.getMessage()));
        };
    }

    /** What the user did or met, from under the wrappers that threads and streams put around it. */
    private static Throwable unwrap(Throwable t) {
        for (Throwable c = t; c != null; c = c.getCause()) {
            if (c instanceof UserError || c instanceof OutOfMemoryError) {
                return c;
            }
        }
        while (t.getCause() != null && (t instanceof UncheckedIOException && !(hasOwnWords(t))
                || t instanceof ExecutionException || t instanceof CompletionException)) {
            t = t.getCause();
        }
        return t instanceof UncheckedIOException ? new IOException(t.getMessage(), t) : t;
    }

    /** Whether the wrapper says more than the name of its cause. */
    private static boolean hasOwnWords(Throwable t) {
        return t.getMessage() != null && !t.getMessage().equals(t.getCause().toString());
    }

    private static String describe(IOException e) {
        return switch (e) {
            case AccessDeniedException a -> a.getFile() + ": permission denied";
            case NoSuchFileException n -> n.getFile() + ": no such file or folder";
            case FileSystemException f when f.getReason() != null -> f.getFile() + ": " + f.getReason().toLowerCase();
            default -> e.getMessage() == null ? e.getClass().getName() : e.getMessage();
        };
    }

    private static String usage(ParameterException e) {
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        String hint = "see '" + command + " --help'";
        String message = plain(e.getMessage());
        if (e instanceof UnmatchedArgumentException u) {
            String first = u.getUnmatched().getFirst();
            boolean isCommand = !first.startsWith("-") && !e.getCommandLine().getSubcommands().isEmpty();
            message = (isCommand ? "unknown command '" : first.startsWith("-") ? "unknown option '" : "unexpected '")
                    + first + "'";
            if (!u.getSuggestions().isEmpty()) {
                hint = "did you mean " + String.join(", ", u.getSuggestions()) + "? " + hint;
            }
        }
        return message.substring(0, 1).toLowerCase() + message.substring(1) + "; " + hint;
    }

    /** picocli's words for a wrong value, without Java's type names. */
    private static String plain(String message) {
        return ENUM.matcher(message).replaceAll(m -> "expected one of " + m.group(1).toLowerCase(Locale.ROOT))
                .replace("is not an int", "is no whole number").replace("is not a long", "is no whole number")
                .replace("is not a double", "is no number");
    }
}
