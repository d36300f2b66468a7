package io.firn.train;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ctrl-C and SIGTERM as a flag that the training loop polls, so that it can write a checkpoint and leave by itself. A
 * second signal ends the process at once. Closing puts back what was there before.
 *
 * <p>{@code sun.misc.Signal} is what Java has for this (module jdk.unsupported); the compiler's warnings cannot be
 * suppressed.
 */
public final class Signals implements AutoCloseable {
    /** A shell reports 128 plus the signal's number for a process that a signal ended. */
    private static final int ENDED_BY_SIGNAL = 128;

    /** {@code timeout} and some schedulers signal a process and then its group: that is one wish, not two. */
    private static final long SAME_NS = 1_000_000_000;

    private final AtomicReference<Received> first = new AtomicReference<>();
    private final Map<Signal, SignalHandler> before = new HashMap<>();

    private Signals() {
    }

    /** Listens for INT and TERM from now on. Where the JVM keeps a signal to itself (-Xrs), that one stays as it is. */
    public static Signals install() {
        Signals signals = new Signals();
        for (String name : new String[] {"INT", "TERM"}) {
            var signal = new Signal(name);
            try {
                signals.before.put(signal, Signal.handle(signal, signals::received));
            } catch (IllegalArgumentException e) {
                // Reserved by the JVM's own options.
            }
        }
        return signals;
    }

    /** Listens for nothing. */
    public static Signals none() {
        return new Signals();
    }

    private record Received(String name, long atNs) {
    }

    private void received(Signal signal) {
        long now = System.nanoTime();
        if (!first.compareAndSet(null, new Received("SIG" + signal.getName(), now)) && now - first.get().atNs > SAME_NS) {
            Runtime.getRuntime().halt(ENDED_BY_SIGNAL + signal.getNumber());
        }
    }

    /** Whether to stop. */
    public boolean requested() {
        return first.get() != null;
    }

    /** The first signal's name, such as {@code SIGTERM}; null where none has come. */
    public String name() {
        Received received = first.get();
        return received == null ? null : received.name;
    }

    @Override
    public void close() {
        before.forEach(Signal::handle);
        before.clear();
    }
}
