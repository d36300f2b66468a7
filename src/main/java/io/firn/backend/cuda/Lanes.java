package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.LaunchBinder.Bound;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Streams;
import java.util.List;

/**
 * Where the launches of a recorded step go: collectives on a stream of their own, and marks where the plan says that one
 * waits for another ({@link Streams}).
 *
 * <pre>
 * compute      wgrad4 ●  dgrad4  wgrad3 ●  dgrad3 …      ○ update
 * collectives         ○ [bucket 1  ] ●  ○ [bucket 2] ●       ● mark   ○ waits for one
 * </pre>
 */
final class Lanes {
    private final Device device;
    private final List<Launch> launches;
    private final int[] waits;
    private final Event[] before;
    private final Event[] after;
    private final Stream compute;
    private final Stream collectives;
    /** The last collective that the compute stream has not waited for; -1 for none. */
    private int open = -1;

    Lanes(Device device, Owned owned, Plan plan, Stream compute, Stream collectives) {
        this.device = device;
        this.compute = compute;
        this.collectives = collectives;
        launches = plan.launches();
        waits = Streams.waits(launches);
        before = new Event[waits.length];
        after = new Event[waits.length];
        for (int i = 0; i < waits.length; i++) {
            if (isCollective(i)) {
                before[i] = owned.add(device.event());
                after[i] = owned.add(device.event());
            }
        }
    }

    private boolean isCollective(int launch) {
        return launches.get(launch).stream() == Streams.COLLECTIVES;
    }

    /** Puts a plan's i-th launch; all are put in order. */
    void put(int i, Bound launch) {
        if (isCollective(i)) {
            device.mark(before[i], compute);
            device.follow(collectives, before[i]);
            launch.put(collectives);
            device.mark(after[i], collectives);
            open = i;
        } else {
            join(waits[i]);
            launch.put(compute);
        }
    }

    /** A step's end: all that is under way is waited for. */
    void join() {
        join(open);
    }

    private void join(int collective) {
        if (collective >= 0) {
            device.follow(compute, after[collective]);
            open = collective == open ? -1 : open;
        }
    }
}
