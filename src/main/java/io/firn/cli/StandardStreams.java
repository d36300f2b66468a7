package io.firn.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** What the process does to its standard streams before the first command runs, and checks after the last. */
final class StandardStreams {
    /** Set by the launcher to the descriptor under which the user's standard error waits. */
    static final String STDERR_PROPERTY = "firn.stderr";

    private static final int STDERR = 2;

    private StandardStreams() {
    }

    /**
     * Gives standard error back to the user. The JVM warns of the incubating Vector API at every start and cannot be
     * told not to, so the launcher starts it with standard error shut off and the real one under another descriptor.
     */
    @SuppressWarnings("restricted")
    static void restoreStandardError() {
        Integer saved = Integer.getInteger(STDERR_PROPERTY);
        if (saved == null) {
            return;
        }
        Linker linker = Linker.nativeLinker();
        var descriptor = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        try {
            var dup2 = linker.downcallHandle(linker.defaultLookup().findOrThrow("dup2"), descriptor);
            int unused = (int) dup2.invokeExact((int) saved, STDERR);
        } catch (Throwable t) {
            throw new IllegalStateException("cannot restore standard error", t);
        }
    }

    /** Standard output in UTF-8; {@link Output#check} tells whether all of it arrived. */
    static Output output() {
        return new Output(new FileOutputStream(FileDescriptor.out));
    }

    /** Remembers the first failure, which a {@link PrintStream} reduces to a flag. */
    static final class Output extends OutputStream {
        private final OutputStream target;
        private IOException failure;

        Output(OutputStream target) {
            this.target = target;
        }

        PrintStream printer() {
            return new PrintStream(new BufferedOutputStream(this, 1 << 13), true, StandardCharsets.UTF_8);
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[]{(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                target.write(bytes, offset, length);
            } catch (IOException e) {
                failure = failure == null ? e : failure;
                throw e;
            }
        }

        /** Fails where output was lost; a reader that went away (such as {@code head}) loses nothing that it wanted. */
        void check() {
            if (failure != null && !String.valueOf(failure.getMessage()).contains("Broken pipe")) {
                throw new UncheckedIOException("standard output: " + failure.getMessage(), failure);
            }
        }
    }
}
