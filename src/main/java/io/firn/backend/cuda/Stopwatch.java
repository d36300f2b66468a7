package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Stream;

/** Times work by the device's own clock. */
final class Stopwatch {
    private final Device device;
    private final Stream stream;
    private final Event start;
    private final Event end;

    Stopwatch(Device device, Owned owned, Stream stream) {
        this.device = device;
        this.stream = stream;
        start = owned.add(device.event());
        end = owned.add(device.event());
    }

    /**
     * Seconds that the work takes at least, done once before that is not counted.
     *
     * @param repeats how often it is timed
     */
    double seconds(int repeats, Runnable work) {
        work.run();
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < repeats; i++) {
            device.mark(start, stream);
            work.run();
            device.mark(end, stream);
            device.await(end);
            least = Math.min(least, device.milliseconds(start, end) / 1e3);
        }
        return least;
    }
}
