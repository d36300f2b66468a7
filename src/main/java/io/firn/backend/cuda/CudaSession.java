package io.firn.backend.cuda;

import io.firn.backend.Collectives;
import io.firn.backend.Elements;
import io.firn.backend.Session;
import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.Device.Recording;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.LaunchBinder.Bound;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.error.UserError;
import io.firn.graph.DType;
import io.firn.graph.Phase;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * A program in a GPU's memory: two arenas, and each plan's step as one recording that is replayed. When it is loaded, every
 * launch runs once by itself over zeros, so that what cannot run is named before the first step, and code that the libraries
 * load at first use is there when the step is recorded, as are NCCL's connections.
 */
final class CudaSession implements Session {
    private final Device device;
    private final Program program;
    private final Owned owned;
    private final Owned recordings;
    private final Arena host = Arena.ofShared();
    private final Stream compute;
    private final Stream copies;
    /** Those of collectives; the compute stream where there are none. */
    private final Stream collectives;
    private final Optional<RankExchange> ranks;
    private final Memory state;
    private final Memory scratch;
    private final Transfers transfers;
    private final Map<Plan, Loaded> loaded = new IdentityHashMap<>();
    /** The plan whose prepared values are in scratch memory; null: none's. */
    private Plan entered;
    private boolean closed;

    private record Loaded(Inputs inputs, List<Launch> prepare, Map<Launch, Bound> launches, boolean exchanges, Recording step,
                          Map<String, Results> results) {
    }

    /** Where an output of the last two steps is copied to. */
    private static final class Results {
        private final Buffer from;
        private final Pinned[] host;
        private final Event[] there;
        private int next;

        private Results(Buffer from, Pinned[] host, Event[] there) {
            this.from = from;
            this.host = host;
            this.there = there;
        }
    }

    /** @param cubins of the program's own kernels, by entry */
    CudaSession(Device device, Engines engines, Map<String, byte[]> cubins, Program program, Collectives others) {
        this.device = device;
        this.program = program;
        owned = new Owned(device);
        recordings = new Owned(device);
        Optional<RankExchange> joined = Optional.empty();
        try {
            compute = owned.add(device.stream());
            copies = owned.add(device.stream());
            boolean exchanges = program.plans().stream().anyMatch(CudaSession::exchanges);
            collectives = exchanges ? owned.add(device.stream()) : compute;
            joined = exchanges ? Optional.of(new RankExchange(device, others)) : joined;
            ranks = joined;
            state = owned.add(device.allocate(program.state().bytes()));
            scratch = owned.add(device.allocate(Math.max(1, program.scratchBytes())));
            transfers = new Transfers(device, owned, compute);
            var binder = new LaunchBinder(device, owned, engines, cubins, this::base, host, compute, ranks);
            clear();
            for (Plan plan : program.plans()) {
                loaded.put(plan, load(plan, binder));
            }
            clear();
            device.await(compute);
        } catch (RuntimeException | Error e) {
            recordings.closeAfter(e);
            joined.ifPresent(r -> closeAfter(e, r));
            owned.closeAfter(e);
            host.close();
            throw e;
        }
    }

    private void closeAfter(Throwable failure, RankExchange r) {
        try {
            r.close(false, !recordings.isStuck());
        } catch (RuntimeException again) {
            failure.addSuppressed(again);
        }
    }

    private static boolean exchanges(Plan plan) {
        return plan.launches().stream().anyMatch(LaunchBinder::isCollective);
    }

    /** Bytes of device memory that a session of this program has: the arenas, inputs on their way, tables of kernels. */
    static long bytes(Program p) {
        return p.bytes() + p.plans().stream().mapToLong(Inputs::bytes).sum() + LaunchBinder.tableBytes(p);
    }

    private void clear() {
        device.fill(state.address(), (byte) 0, state.bytes(), compute);
        device.fill(scratch.address(), (byte) 0, scratch.bytes(), compute);
    }

    private long base(Buffer.Arena arena) {
        return switch (arena) {
            case STATE -> state.address();
            case SCRATCH -> scratch.address();
        };
    }

    private Loaded load(Plan plan, LaunchBinder binder) {
        Inputs inputs = new Inputs(device, owned, plan, scratch.address(), copies, compute);
        inputs.put();
        Map<Launch, Bound> launches = new IdentityHashMap<>();
        ranged("load " + plan.name(), () -> {
            for (Launch l : plan.prepare()) {
                launches.put(l, first(plan, l, binder));
            }
            for (Launch l : plan.launches()) {
                launches.put(l, first(plan, l, binder));
            }
            return plan;
        });
        Map<String, Results> results = new HashMap<>();
        plan.graph().outputs().forEach((name, v) -> {
            Buffer b = plan.output(name);
            if (b.type().dtype() == DType.F32) {
                var host = new Pinned[] {owned.add(device.pin(b.bytes())), owned.add(device.pin(b.bytes()))};
                var there = new Event[] {owned.add(device.event()), owned.add(device.event())};
                results.put(name, new Results(b, host, there));
            }
        });
        return new Loaded(inputs, plan.prepare(), launches, exchanges(plan), recorded(plan, launches), results);
    }

    /** Makes a launch ready and runs it once. */
    private Bound first(Plan plan, Launch l, LaunchBinder binder) {
        return named(plan, l, () -> {
            Bound b = binder.bind(plan, l);
            b.put(compute);
            device.await(compute);
            return b;
        });
    }

    private Recording recorded(Plan plan, Map<Launch, Bound> launches) {
        try {
            Lanes lanes = new Lanes(device, owned, plan, compute, collectives);
            device.record(compute);
            try {
                ranged("record " + plan.name(), () -> {
                    step(plan, i -> lanes.put(i, launches.get(plan.launches().get(i))));
                    lanes.join();
                    return plan;
                });
            } catch (RuntimeException | Error e) {
                try {
                    device.forget(compute);
                } catch (RuntimeException again) {
                    e.addSuppressed(again);
                }
                throw e;
            }
            return recordings.add(device.recorded(compute));
        } catch (UserError e) {
            throw told(e, "recording the step of plan " + plan.name());
        }
    }

    @FunctionalInterface
    private interface Call<T> {
        T run();
    }

    /** Does what belongs to a range's name. */
    private <T> T ranged(String range, Call<T> call) {
        device.enter(range);
        try {
            return call.run();
        } finally {
            device.leave();
        }
    }

    /** Puts each launch of a step, by its number; profilers are told the phases and, in them, the launches. */
    private void step(Plan plan, IntConsumer put) {
        List<Launch> all = plan.launches();
        int from = 0;
        while (from < all.size()) {
            Phase phase = all.get(from).phase();
            int first = from;
            while (from < all.size() && all.get(from).phase() == phase) {
                from++;
            }
            int to = from;
            ranged(phase.label(), () -> {
                for (int n = first; n < to; n++) {
                    int i = n;
                    named(plan, all.get(i), () -> {
                        put.accept(i);
                        return all;
                    });
                }
                return phase;
            });
        }
    }

    /** Says of what fails which launch it was. */
    private <T> T named(Plan plan, Launch l, Call<T> call) {
        try {
            return ranged(l.name(), call);
        } catch (UserError e) {
            throw told(e, "plan %s, launch %s (%s by %s: %s → %s)".formatted(plan.name(), l.name(), l.op(), l.kernel(),
                    l.subgraph().anchor().inputTypes(), l.subgraph().anchor().outputTypes()));
        }
    }

    /** What ended another rank has no place here. */
    private UserError told(UserError e, String where) {
        return ranks.isPresent() && ranks.get().isOfOthers(e) ? e : new UserError(e.kind(), where + ": " + e.getMessage()).causedBy(e);
    }

    @Override
    public Program program() {
        return program;
    }

    @Override
    public MemorySegment input(Plan plan, String name) {
        return loaded.get(plan).inputs.place(name);
    }

    @Override
    public void step(Plan plan) {
        put(plan);
        finish(plan);
    }

    /** As many as there are places for inputs beside the one that is filled. */
    @Override
    public int ahead() {
        return 1;
    }

    @Override
    public Awaited begin(Plan plan, String output) {
        put(plan);
        Results r = results(plan, output);
        int slot = r.next;
        r.next ^= 1;
        device.download(r.host[slot].host(), base(r.from.arena()) + r.from.offset(), compute);
        device.mark(r.there[slot], compute);
        return to -> {
            Elements.check(r.from, to);
            waiting(plan, () -> {
                device.await(r.there[slot]);
                left(plan);
                return r;
            });
            MemorySegment.copy(r.host[slot].host(), ValueLayout.JAVA_FLOAT, 0, to, 0, to.length);
        };
    }

    /** Puts a step on the compute stream, and what is prepared before it where another plan was there. */
    private void put(Plan plan) {
        ranged(plan.name(), () -> {
            putStep(plan);
            return plan;
        });
    }

    private void putStep(Plan plan) {
        Loaded l = loaded.get(plan);
        if (entered != plan) {
            l.prepare.forEach(launch -> named(plan, launch, () -> {
                l.launches.get(launch).put(compute);
                return launch;
            }));
            entered = plan;
        }
        l.inputs.put();
        if (l.exchanges) {
            ranks.orElseThrow().watch().enters();
        }
        device.replay(l.step, compute);
    }

    /** What the ranks do together in a step is done. */
    private void left(Plan plan) {
        if (loaded.get(plan).exchanges) {
            ranks.orElseThrow().watch().leaves();
        }
    }

    private void finish(Plan plan) {
        waiting(plan, () -> {
            device.await(compute);
            left(plan);
            return plan;
        });
    }

    /** What a launch of a recording does wrong is told by whoever waits for it, without its name. */
    private <T> T waiting(Plan plan, Call<T> call) {
        try {
            return call.run();
        } catch (UserError e) {
            throw told(e, "a step of plan %s (firn selftest --device cuda finds the launch)".formatted(plan.name()));
        }
    }

    @Override
    public void run(Plan plan, Launch launch) {
        Loaded l = loaded.get(plan);
        if (entered != plan) {
            entered = null;
        }
        l.inputs.put();
        named(plan, launch, () -> {
            l.launches.get(launch).put(compute);
            device.await(compute);
            return launch;
        });
    }

    /** By the device's clock, without waiting between launches. */
    @Override
    public void step(Plan plan, Timeline timeline) {
        Loaded l = loaded.get(plan);
        try (Owned marks = new Owned(device)) {
            List<Event> after = new ArrayList<>();
            for (int i = 0; i <= plan.launches().size(); i++) {
                after.add(marks.add(device.event()));
            }
            l.inputs.put();
            device.mark(after.getFirst(), compute);
            Iterator<Event> ends = after.listIterator(1);
            ranged(plan.name(), () -> {
                step(plan, i -> {
                    l.launches.get(plan.launches().get(i)).put(compute);
                    device.mark(ends.next(), compute);
                });
                return plan;
            });
            finish(plan);
            for (int i = 0; i < plan.launches().size(); i++) {
                timeline.ran(plan.launches().get(i), nanoseconds(after.getFirst(), after.get(i)),
                        nanoseconds(after.getFirst(), after.get(i + 1)));
            }
        }
    }

    private long nanoseconds(Event from, Event to) {
        return Math.round(1e6 * device.milliseconds(from, to));
    }

    private Results results(Plan plan, String name) {
        Results r = loaded.get(plan).results.get(name);
        if (r == null) {
            throw new IllegalArgumentException("no f32 output is named " + name);
        }
        return r;
    }

    @Override
    public void output(Plan plan, String name, float[] to) {
        readFloats(results(plan, name).from, to);
    }

    @Override
    public void output(Plan plan, String name, MemorySegment to) {
        Buffer b = plan.output(name);
        transfers.read(base(b.arena()) + b.offset(), to.asSlice(0, b.bytes()));
    }

    @Override
    public void readState(String name, float[] to) {
        readFloats(stateBuffer(name), to);
    }

    private void readFloats(Buffer b, float[] to) {
        Elements.check(b, to);
        transfers.read(base(b.arena()) + b.offset(), MemorySegment.ofArray(to));
    }

    @Override
    public void writeState(String name, float[] from) {
        Buffer b = stateBuffer(name);
        Elements.check(b, from);
        transfers.write(MemorySegment.ofArray(from), base(b.arena()) + b.offset());
        entered = null;
    }

    private Buffer stateBuffer(String name) {
        Buffer b = program.state().buffers().get(name);
        if (b == null) {
            throw new IllegalArgumentException("no state is named " + name);
        }
        return b;
    }

    @Override
    public double[] read(Plan plan, Launch launch, boolean output, int index) {
        Buffer b = (output ? launch.outputs() : launch.inputs()).get(index);
        loaded.get(plan).inputs.put();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(b.bytes(), Long.BYTES);
            transfers.read(base(b.arena()) + b.offset(), copy);
            return Elements.read(copy, b);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        RuntimeException unfinished = after(null, () -> {
            device.await(copies);
            device.await(compute);
        });
        RuntimeException failed = after(unfinished, recordings::close);
        if (ranks.isPresent()) {
            failed = after(failed, () -> ranks.get().close(unfinished == null, !recordings.isStuck()));
        }
        failed = after(failed, owned::close);
        host.close();
        if (failed != null) {
            throw failed;
        }
    }

    /** Does this in any case; the first failure counts. */
    private static RuntimeException after(RuntimeException failed, Runnable next) {
        try {
            next.run();
            return failed;
        } catch (RuntimeException e) {
            if (failed == null) {
                return e;
            }
            failed.addSuppressed(e);
            return failed;
        }
    }
}
