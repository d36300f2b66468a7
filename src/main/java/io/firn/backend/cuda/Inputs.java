package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.Device.Stream;
import io.firn.graph.Value;
import io.firn.plan.Buffer;
import io.firn.plan.Plan;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A plan's inputs on their way to the device. Each has two places in host memory, of which one is filled while the other is
 * copied, and one on the device, from which the step takes it when the step before is done with it:
 *
 * <pre>
 * caller → pinned 0 | 1  –copy stream→  staging  –compute stream→  where the plan reads it
 * </pre>
 */
final class Inputs {
    private final Device device;
    private final Stream copies;
    private final Stream compute;
    private final Event arrived;
    private final Event taken;
    private final Map<String, Input> inputs = new LinkedHashMap<>();

    private static final class Input {
        private final long to;
        private final Memory staging;
        private final Pinned[] host;
        private final Event[] copied;
        private int filling;
        /** Whether the caller was given the place that is filled. */
        private boolean asked;

        private Input(long to, Memory staging, Pinned[] host, Event[] copied) {
            this.to = to;
            this.staging = staging;
            this.host = host;
            this.copied = copied;
        }
    }

    /** @param scratch address of the arena that the plan's inputs lie in */
    Inputs(Device device, Owned owned, Plan plan, long scratch, Stream copies, Stream compute) {
        this.device = device;
        this.copies = copies;
        this.compute = compute;
        arrived = owned.add(device.event());
        taken = owned.add(device.event());
        for (Value v : plan.graph().inputs()) {
            Buffer b = plan.input(v.name());
            var host = new Pinned[] {owned.add(device.pin(b.bytes())), owned.add(device.pin(b.bytes()))};
            for (Pinned p : host) {
                p.host().fill((byte) 0);
            }
            var copied = new Event[] {owned.add(device.event()), owned.add(device.event())};
            Memory staging = owned.add(device.allocate(b.bytes()));
            device.fill(staging.address(), (byte) 0, b.bytes(), compute);
            inputs.put(v.name(), new Input(scratch + b.offset(), staging, host, copied));
        }
        device.mark(taken, compute);
    }

    /** Bytes of device memory that a plan's inputs take beside the plan's own. */
    static long bytes(Plan plan) {
        return plan.graph().inputs().stream().mapToLong(v -> Buffer.align(plan.input(v.name()).bytes())).sum();
    }

    /** Where the next step's input is to be written, whole. Waits until the copy of what lay there is done. */
    MemorySegment place(String name) {
        Input in = inputs.get(name);
        if (in == null) {
            throw new IllegalArgumentException("no input is named " + name);
        }
        if (!in.asked) {
            in.asked = true;
            device.await(in.copied[in.filling]);
        }
        return in.host[in.filling].host();
    }

    /** Puts on the compute stream that the step has its inputs: the new ones where they were asked for, else the last. */
    void put() {
        boolean fresh = inputs.values().stream().anyMatch(in -> in.asked);
        if (fresh) {
            device.follow(copies, taken);
            for (Input in : inputs.values()) {
                if (in.asked) {
                    device.upload(in.staging.address(), in.host[in.filling].host(), copies);
                    device.mark(in.copied[in.filling], copies);
                    in.filling ^= 1;
                    in.asked = false;
                }
            }
            device.mark(arrived, copies);
            device.follow(compute, arrived);
        }
        inputs.values().forEach(in -> device.copy(in.to, in.staging.address(), in.staging.bytes(), compute));
        device.mark(taken, compute);
    }
}
