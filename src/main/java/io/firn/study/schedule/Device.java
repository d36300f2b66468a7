package io.firn.study.schedule;

/**
 * Where one run at a time computes.
 *
 * @param speed work that it does in a second, relative to the device that predictions are made for
 */
public record Device(String name, double speed, Pool pool) {
    public Device {
        if (!(speed > 0)) {
            throw new IllegalArgumentException("speed of " + speed);
        }
    }

    /** Whether the task fits when it has the pool for itself. */
    public boolean holds(Task task) {
        return task.bytes() <= pool.memory();
    }
}
