package io.firn.backend.cpu;

/** A launch that is ready to run: arguments are bound, nothing is allocated any more. */
interface Executable extends AutoCloseable {

    void run();

    @Override
    default void close() {
    }
}
