package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Resource;
import java.util.ArrayDeque;
import java.util.Deque;

/** The one owner of what was got from a device: gives all of it back, the last first, whatever fails on the way. */
final class Owned implements AutoCloseable {
    private final Device device;
    private final Deque<Resource> resources = new ArrayDeque<>();
    private boolean stuck;

    Owned(Device device) {
        this.device = device;
    }

    <R extends Resource> R add(R resource) {
        resources.push(resource);
        return resource;
    }

    /** Gives back what a failure leaves behind; what fails thereby is told beside it. */
    void closeAfter(Throwable failure) {
        try {
            close();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /** Whether something could not be given back. */
    boolean isStuck() {
        return stuck;
    }

    @Override
    public void close() {
        RuntimeException first = null;
        while (!resources.isEmpty()) {
            try {
                device.release(resources.pop());
            } catch (RuntimeException e) {
                stuck = true;
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
