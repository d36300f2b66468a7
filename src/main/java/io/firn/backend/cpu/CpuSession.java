package io.firn.backend.cpu;

import io.firn.backend.Collectives;
import io.firn.backend.Elements;
import io.firn.backend.Session;
import io.firn.graph.DType;
import io.firn.graph.Type;
import io.firn.plan.Buffer;
import io.firn.plan.Launch;
import io.firn.plan.Layout;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import io.firn.plan.Streams;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A program in this process's memory: two arenas and, for each plan, the list of what to run. */
final class CpuSession implements Session {
    private final CpuBackend backend;
    private final Program program;
    private final StateArena state;
    private final NativeArena scratch;
    private final Collectives ranks;
    /** Where collectives run; null where no plan has any. */
    private final CollectiveStream collectives;
    private final Map<Plan, Loaded> loaded = new IdentityHashMap<>();
    /** The plan whose prepared values are in scratch memory; null: none's. */
    private Plan entered;
    private boolean closed;

    /** What a plan runs. */
    private record Loaded(Executable[] prepare, Executable[] step, Map<Launch, Executable> byLaunch) {
    }

    /** @param folder where states that no step reads may lie in a file */
    CpuSession(CpuBackend backend, Program program, Collectives ranks, Path folder) {
        this.backend = backend;
        this.program = program;
        this.ranks = ranks;
        int most = program.plans().stream().mapToInt(CpuSession::collectives).max().orElse(0);
        collectives = most == 0 ? null : new CollectiveStream(most);
        scratch = new NativeArena(program.scratchBytes());
        state = StateArena.of(program, folder);
        try {
            for (Plan plan : program.plans()) {
                loaded.put(plan, bind(plan));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private static int collectives(Plan plan) {
        return (int) plan.launches().stream().filter(l -> l.stream() == Streams.COLLECTIVES).count();
    }

    private Loaded bind(Plan plan) {
        Binder binder = backend.binder(plan, Map.of(Buffer.Arena.STATE, state.address(), Buffer.Arena.SCRATCH,
                scratch.address()), ranks);
        List<Executable> prepare = new ArrayList<>();
        List<Executable> step = new ArrayList<>();
        Map<Launch, Executable> byLaunch = new IdentityHashMap<>();
        try {
            for (Launch l : plan.prepare()) {
                Executable e = binder.bind(l);
                byLaunch.put(l, e);
                List<Buffer> states = l.inputs().stream().filter(b -> b.arena() == Buffer.Arena.STATE).toList();
                prepare.add(() -> {
                    e.run();
                    states.forEach(state::release);
                });
            }
            for (Launch l : plan.launches()) {
                Executable e = binder.bind(l);
                step.add(e);
                byLaunch.put(l, e);
            }
        } catch (RuntimeException | Error e) {
            byLaunch.values().forEach(Executable::close);
            throw e;
        }
        return new Loaded(prepare.toArray(Executable[]::new), onStreams(plan.launches(), step), byLaunch);
    }

    /** What a step does, launch by launch: compute, hand a collective over, wait for one. */
    private Executable[] onStreams(List<Launch> launches, List<Executable> bound) {
        int[] waits = Streams.waits(launches);
        List<Executable> step = new ArrayList<>();
        int[] number = new int[waits.length];
        int begun = 0;
        for (int i = 0; i < waits.length; i++) {
            Executable e = bound.get(i);
            if (launches.get(i).stream() == Streams.COLLECTIVES) {
                number[i] = ++begun;
                step.add(() -> collectives.begin(e));
                continue;
            }
            if (waits[i] >= 0) {
                int behind = begun - number[waits[i]];
                step.add(() -> collectives.await(behind));
            }
            step.add(e);
        }
        if (begun > 0) {
            step.add(() -> collectives.await(0));
        }
        return step.toArray(Executable[]::new);
    }

    @Override
    public Program program() {
        return program;
    }

    @Override
    public MemorySegment input(Plan plan, String name) {
        return segment(plan.input(name));
    }

    @Override
    public void step(Plan plan) {
        Loaded l = enter(plan);
        for (Executable e : l.step) {
            e.run();
        }
    }

    private Loaded enter(Plan plan) {
        Loaded l = loaded.get(plan);
        backend.useThreads();
        if (entered != plan) {
            for (Executable e : l.prepare) {
                e.run();
            }
            entered = plan;
        }
        return l;
    }

    @Override
    public void run(Plan plan, Launch launch) {
        backend.useThreads();
        loaded.get(plan).byLaunch.get(launch).run();
    }

    @Override
    public void output(Plan plan, String name, float[] to) {
        Buffer b = plan.output(name);
        Elements.check(b, to);
        MemorySegment.copy(segment(b), ValueLayout.JAVA_FLOAT, 0, to, 0, to.length);
    }

    @Override
    public void output(Plan plan, String name, MemorySegment to) {
        MemorySegment from = segment(plan.output(name));
        MemorySegment.copy(from, 0, to, 0, from.byteSize());
    }

    @Override
    public void readState(String name, float[] to) {
        Buffer b = stateBuffer(name, to);
        MemorySegment.copy(segment(b), ValueLayout.JAVA_FLOAT, 0, to, 0, to.length);
        state.release(b);
    }

    @Override
    public void writeState(String name, float[] from) {
        state.write(stateBuffer(name, from), from);
        entered = null;
    }

    @Override
    public Optional<MemorySegment> memory(Plan plan, String output) {
        return dense(plan.output(output));
    }

    @Override
    public Optional<MemorySegment> stateMemory(String name) {
        return dense(stateBuffer(name));
    }

    private Optional<MemorySegment> dense(Buffer b) {
        return b.type().dtype() == DType.F32 && b.layout() == Layout.DENSE ? Optional.of(segment(b)) : Optional.empty();
    }

    private Buffer stateBuffer(String name, float[] data) {
        Buffer b = stateBuffer(name);
        Elements.check(b, data);
        return b;
    }

    private Buffer stateBuffer(String name) {
        Buffer b = program.state().buffers().get(name);
        if (b == null) {
            throw new IllegalArgumentException("no state is named " + name);
        }
        return b;
    }

    private MemorySegment segment(Buffer b) {
        return b.arena() == Buffer.Arena.STATE ? state.segment(b.offset(), b.bytes())
                : scratch.segment(b.offset(), b.bytes());
    }

    @Override
    public double[] read(Plan plan, Launch launch, boolean output, int index) {
        Buffer b = (output ? launch.outputs() : launch.inputs()).get(index);
        if (b.layout() instanceof Layout.Opaque) {
            return unpacked(b);
        }
        return Elements.read(segment(b), b);
    }

    private double[] unpacked(Buffer b) {
        Type dense = b.type();
        try (NativeArena copy = new NativeArena(dense.bytes())) {
            try (Reorder r = backend.reorder(new Tensor(segment(b).address(), b.type(), b.layout()),
                    new Tensor(copy.address(), dense, Layout.DENSE))) {
                r.run();
            }
            return Elements.read(copy.segment(0, dense.bytes()), new Buffer(b.arena(), 0, dense, Layout.DENSE));
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (collectives != null) {
            collectives.close();
        }
        for (Loaded l : loaded.values()) {
            l.byLaunch.values().forEach(Executable::close);
        }
        scratch.close();
        state.close();
    }
}
