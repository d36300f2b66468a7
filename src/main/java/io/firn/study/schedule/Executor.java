package io.firn.study.schedule;

import java.util.List;

/**
 * Carries out tasks on devices: processes of this machine, a cluster's jobs, or a simulation. Each device has one task at a
 * time. A task that was stopped or failed goes on from its checkpoint when it is started again. Not for several threads.
 */
public interface Executor extends AutoCloseable {

    List<Device> devices();

    /** Seconds on this executor's clock: the system's, where it does not simulate. */
    default double now() {
        return System.nanoTime() / 1e9;
    }

    /** Starts a task on a device that is free, and returns at once. */
    void start(Task task, Device device);

    /** Waits until something happened, or for a moment. */
    List<Event> await();

    /** Asks all that runs to write its state and end; that it did is told by {@link #await}. */
    void stop();

    /** Ends what still runs. */
    @Override
    void close();
}
