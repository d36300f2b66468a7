package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.CudnnInterpreter;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.KernelCompiler;
import io.firn.backend.cuda.kernels.KernelSource;
import io.firn.backend.cuda.kernels.Shim;
import io.firn.error.UserError;
import io.firn.graph.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * A GPU in this process's memory. Own kernels run as plain C++ with the argument blocks that a device would get, cuDNN's
 * graphs are interpreted. Work waits on its stream until someone waits for it, or until chance has it done; streams go on
 * side by side as their marks allow, and what exchanges with other ranks' GPUs waits for them. Device memory is poisoned and
 * guarded, and every call can be made to fail.
 */
public final class Simulator implements Device, KernelCompiler {
    private static final int GUARD = 256;
    private static final byte POISON = (byte) 0xFF;

    private final GpuProperties properties;
    private final long capacity;
    private final Random random;
    private final boolean computes;
    private final Map<String, KernelSource> sources = new ConcurrentHashMap<>();
    private final Map<Resource, Arena> live = new LinkedHashMap<>();
    private final TreeMap<Long, Memory> memory = new TreeMap<>();
    private final Map<Stream, Deque<Work>> streams = new HashMap<>();
    private final Map<Event, Long> marks = new HashMap<>();
    private final Map<Event, Long> reached = new HashMap<>();
    private final Map<Long, Runnable> products = new HashMap<>();
    private final Map<Long, String> codes = new HashMap<>();
    private final Map<Long, List<Step>> recordings = new HashMap<>();
    private final Map<Communicator, Member> members = new HashMap<>();
    private final SimulatedWire wire;
    private Shim shim;
    /** Kernels that it has: a backend that measures engines compiles more later. */
    private int shimmed;
    /** The stream whose work is recorded, and those that joined it by following its events, which must come back. */
    private Stream recording;
    private final Map<Stream, Integer> apart = new HashMap<>();
    private final Map<Event, Step.Mark> recordedMarks = new HashMap<>();
    private List<Step> recorded;
    private Runnable check;
    private final Map<Event, Long> clocks = new HashMap<>();
    /** Simulated milliseconds of all work so far: one of everything but cuDNN's plans, which say it themselves. */
    private long clock;
    private long handles;
    private long allocated;
    private int calls;
    private int failingCall = -1;
    private String failingName = "";
    private int recordedStreams;
    private int executed;
    private int failingWork = -1;
    private String broken = "";
    private final Deque<String> open = new ArrayDeque<>();
    private final Map<String, Integer> ranges = new LinkedHashMap<>();
    private boolean closed;

    /** What a stream does: at most once, and not before it may. */
    private record Work(Runnable run, BooleanSupplier may) {
    }

    /** A part of a recording. */
    private sealed interface Step {
        Stream on();

        record Put(Stream on, Work work) implements Step {
        }

        /** @param puts works of the stream before it */
        record Mark(Stream on, Event event, int puts) implements Step {
        }

        record Follow(Stream on, Event event) implements Step {
        }
    }

    /** A communicator's rank. */
    private static final class Member {
        private final SimulatedWire.Group group;
        private final int rank;
        private long begun;
        private long taken;
        /** How often it is still asked in vain. */
        private int pending = 2;
        private boolean finishes;
        private boolean aborted;

        Member(SimulatedWire.Group group, int rank) {
            this.group = group;
            this.rank = rank;
        }
    }

    /**
     * @param capacity bytes of device memory
     * @param seed     of the order in which streams go on
     * @param computes whether kernels run; else they are only counted
     */
    public Simulator(GpuProperties properties, long capacity, long seed, boolean computes) {
        this(properties, capacity, seed, computes, new SimulatedWire());
    }

    /** @param wire to the GPUs of other ranks */
    Simulator(GpuProperties properties, long capacity, long seed, boolean computes, SimulatedWire wire) {
        this.wire = wire;
        this.properties = properties;
        this.capacity = capacity;
        this.computes = computes;
        random = new Random(seed);
    }

    /** Makes the call of that number fail, counted from now and from 0; negative for none. */
    void failCall(int number) {
        failCall("", number);
    }

    /** The same among the calls of that name. */
    void failCall(String name, int number) {
        calls = 0;
        failingName = name;
        failingCall = number;
    }

    /** Makes the work of that number fail when it is done: what waits next is told, and everything after it. */
    void failWork(int number) {
        executed = 0;
        failingWork = number;
    }

    /** Calls since the last {@link #failCall}. */
    int calls() {
        return calls;
    }

    /** Works done since the last {@link #failWork}. */
    int executed() {
        return executed;
    }

    /** The most streams that a recording so far has had. */
    int recordedStreams() {
        return recordedStreams;
    }

    /** What was not given back. */
    List<Resource> leaked() {
        return List.copyOf(live.keySet());
    }

    long allocated() {
        return allocated;
    }

    boolean isClosed() {
        return closed;
    }

    private void call(String name) {
        if (closed) {
            throw new IllegalStateException(name + " of a closed device");
        }
        if ((failingName.isEmpty() || failingName.equals(name)) && calls++ == failingCall) {
            throw UserError.other("%s: CUDA_ERROR_SIMULATED, failed on demand", name);
        }
        for (int i = random.nextInt(4); i > 0 && !streams.isEmpty(); i--) {
            advance(List.copyOf(streams.keySet()).get(random.nextInt(streams.size())));
        }
    }

    /** What is not allowed while work is recorded. */
    private void notRecorded(String name) {
        if (recording != null) {
            throw UserError.other("%s: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, not permitted while a stream is recorded", name);
        }
    }

    private <R extends Resource> R live(R r) {
        if (!live.containsKey(r)) {
            throw new IllegalStateException(r + " is not there, or was given back");
        }
        return r;
    }

    private <R extends Resource> R born(R r, Arena arena) {
        live.put(r, arena);
        return r;
    }

    private void put(Stream on, Runnable work) {
        put(on, new Work(work, () -> true));
    }

    private void put(Stream on, Work work) {
        if (isRecorded(on)) {
            recorded.add(new Step.Put(on, work));
            apart.computeIfPresent(on, (_, puts) -> puts + 1);
        } else {
            streams.get(live(on)).add(work);
        }
    }

    private boolean isRecorded(Stream on) {
        return on.equals(recording) || apart.containsKey(on);
    }

    /** Does a stream's next work, if it may; whether it did. */
    private boolean advance(Stream s) {
        Work w = streams.containsKey(s) ? streams.get(s).peek() : null;
        if (w == null || broken.isEmpty() && !w.may.getAsBoolean()) {
            return false;
        }
        streams.get(s).poll();
        if (broken.isEmpty()) {
            if (executed++ == failingWork) {
                broken = "CUDA_ERROR_SIMULATED, work failed on demand";
            } else {
                clock++;
                w.run.run();
            }
        }
        return true;
    }

    /** Does what is left of a stream's work, and of what it waits for. */
    private void drain(Stream s) {
        while (!streams.get(s).isEmpty()) {
            if (!advance(s)) {
                boolean any = false;
                for (Stream other : List.copyOf(streams.keySet())) {
                    any |= other != s && advance(other);
                }
                if (!any) {
                    throw new IllegalStateException("streams wait for each other");
                }
            }
        }
    }

    private void told(String name) {
        if (!broken.isEmpty()) {
            throw UserError.other("%s: %s", name, broken);
        }
    }

    /** The bytes at an address, which must be within one allocation. */
    private MemorySegment at(long address, long bytes) {
        var e = memory.floorEntry(address);
        if (e == null || address + bytes > e.getValue().address() + e.getValue().bytes()) {
            throw new IllegalStateException("%d bytes at %x are not on the device".formatted(bytes, address));
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    private void pinned(MemorySegment host) {
        if (live.keySet().stream().noneMatch(r -> r instanceof Pinned p && host.address() >= p.host().address()
                && host.address() + host.byteSize() <= p.host().address() + p.host().byteSize())) {
            throw new IllegalStateException("a copy from or to memory that is not pinned");
        }
    }

    @Override
    public GpuProperties properties() {
        return properties;
    }

    @Override
    public long freeMemory() {
        call("cuMemGetInfo");
        told("cuMemGetInfo");
        return capacity - allocated;
    }

    @Override
    public Memory allocate(long bytes) {
        call("cuMemAlloc");
        notRecorded("cuMemAlloc");
        if (bytes < 1) {
            throw UserError.other("cuMemAlloc: CUDA_ERROR_INVALID_VALUE, invalid argument");
        }
        if (bytes > capacity - allocated) {
            throw UserError.memory("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY, out of memory");
        }
        Arena arena = Arena.ofShared();
        MemorySegment all = arena.allocate(bytes + 2 * GUARD, GUARD).fill(POISON);
        Memory m = born(new Memory(all.address() + GUARD, bytes), arena);
        memory.put(m.address(), m);
        allocated += bytes;
        return m;
    }

    @Override
    public Pinned pin(long bytes) {
        call("cuMemHostAlloc");
        notRecorded("cuMemHostAlloc");
        Arena arena = Arena.ofShared();
        return born(new Pinned(arena.allocate(bytes, GUARD).fill(POISON)), arena);
    }

    @Override
    public Stream stream() {
        call("cuStreamCreate");
        Stream s = born(new Stream(++handles), null);
        streams.put(s, new ArrayDeque<>());
        return s;
    }

    @Override
    public Event event() {
        call("cuEventCreate");
        return born(new Event(++handles), null);
    }

    /** A cubin of the simulator's holds the entry's name. */
    @Override
    public byte[] compile(KernelSource source, String architecture) {
        if (!architecture.equals("sm_90")) {
            throw new IllegalStateException("compiled for " + architecture);
        }
        sources.put(source.entry(), source);
        return source.entry().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String version() {
        return "simulated";
    }

    @Override
    public Code code(String entry, byte[] cubin) {
        call("cuModuleLoadData");
        if (!entry.equals(new String(cubin, StandardCharsets.UTF_8))) {
            throw UserError.other("cuModuleGetFunction: CUDA_ERROR_NOT_FOUND, named symbol not found");
        }
        Code c = born(new Code(++handles, ++handles), null);
        codes.put(c.function(), entry);
        return c;
    }

    @Override
    public Product product(CudnnGraph graph, byte[] plan, List<Long> addresses, long workspace) {
        call("cudnnBackendFinalize of restored plan");
        notRecorded("cudnnBackendFinalize of restored plan");
        List<Tensor> tensors = new ArrayList<>(graph.inputs());
        tensors.addAll(graph.outputs());
        if (plan.length == 0 || addresses.size() != tensors.size()) {
            throw new IllegalStateException("%d addresses for %d tensors".formatted(addresses.size(), tensors.size()));
        }
        for (int i = 0; i < tensors.size(); i++) {
            at(addresses.get(i), bytes(tensors.get(i)));
            if (addresses.get(i) % tensors.get(i).alignment() != 0) {
                throw new IllegalStateException(tensors.get(i) + " lies at no multiple of its alignment");
            }
        }
        if (workspace % CudnnCalls.ENGINE_ALIGNMENT != 0) {
            throw new IllegalStateException("a workspace at no multiple of its alignment");
        }
        Product p = born(new Product(++handles), null);
        products.put(p.handle(), () -> {
            clock += plan[0] - 1;
            if (!computes) {
                return;
            }
            List<double[]> in = new ArrayList<>();
            for (int i = 0; i < graph.inputs().size(); i++) {
                in.add(read(graph.inputs().get(i), addresses.get(i)));
            }
            at(workspace, SimulatedEngines.WORKSPACE).fill(POISON);
            List<double[]> out = CudnnInterpreter.run(graph, in);
            for (int i = 0; i < out.size(); i++) {
                write(graph.outputs().get(i), addresses.get(in.size() + i), out.get(i));
            }
        });
        return p;
    }

    private static long bytes(Tensor t) {
        return t.type().bytes() * t.dims().stream().reduce(1L, Math::multiplyExact);
    }

    private double[] read(Tensor t, long address) {
        MemorySegment m = at(address, bytes(t));
        double[] x = new double[Math.toIntExact(bytes(t) / t.type().bytes())];
        for (int i = 0; i < x.length; i++) {
            x[i] = switch (t.type()) {
                case F32 -> m.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                case BF16 -> DType.bf16ToFloat(m.getAtIndex(ValueLayout.JAVA_SHORT, i));
                case F16 -> Float.float16ToFloat(m.getAtIndex(ValueLayout.JAVA_SHORT, i));
                case U8, I32 -> throw new IllegalStateException(t + " is no operand of cuDNN's");
            };
        }
        return x;
    }

    private void write(Tensor t, long address, double[] x) {
        MemorySegment m = at(address, bytes(t));
        for (int i = 0; i < x.length; i++) {
            switch (t.type()) {
                case F32 -> m.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x[i]);
                case BF16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, i, DType.floatToBf16((float) x[i]));
                case F16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16((float) x[i]));
                case U8, I32 -> throw new IllegalStateException(t + " is no result of cuDNN's");
            }
        }
    }

    @Override
    public void release(Resource r) {
        call("release of " + r.getClass().getSimpleName());
        live(r);
        if (r instanceof Stream s) {
            streams.remove(s);
        }
        if (r instanceof Memory m) {
            checkGuards(m);
            memory.remove(m.address());
            allocated -= m.bytes();
        }
        if (r instanceof Communicator c) {
            Member m = members.get(c);
            if (!m.finishes || !m.group.areAllFinished()) {
                throw new IllegalStateException("a communicator is given back that has not ended");
            }
            end(c);
        }
        if (r instanceof Recording) {
            recordings.remove(((Recording) r).handle());
        }
        Arena arena = live.remove(r);
        if (arena != null) {
            streams.keySet().forEach(this::drain);
            arena.close();
        }
    }

    private static void checkGuards(Memory m) {
        MemorySegment all = MemorySegment.ofAddress(m.address() - GUARD).reinterpret(m.bytes() + 2 * GUARD);
        for (long i = 0; i < GUARD; i++) {
            if (all.get(ValueLayout.JAVA_BYTE, i) != POISON
                    || all.get(ValueLayout.JAVA_BYTE, GUARD + m.bytes() + i) != POISON) {
                throw new IllegalStateException("something was written beside " + m);
            }
        }
    }

    @Override
    public void fill(long address, byte value, long bytes, Stream on) {
        call("cuMemsetD8Async");
        MemorySegment to = at(address, bytes);
        put(on, () -> to.fill(value));
    }

    @Override
    public void upload(long to, MemorySegment from, Stream on) {
        call("cuMemcpyHtoDAsync");
        MemorySegment device = at(to, from.byteSize());
        if (from.isNative() && live.keySet().stream().anyMatch(r -> r instanceof Pinned p
                && from.address() >= p.host().address() && from.address() < p.host().address() + p.host().byteSize())) {
            put(on, () -> device.copyFrom(from));
        } else {
            // From ordinary memory the driver copies before it returns.
            MemorySegment copy = Arena.ofAuto().allocate(from.byteSize()).copyFrom(from);
            put(on, () -> device.copyFrom(copy));
        }
    }

    @Override
    public void download(MemorySegment to, long from, Stream on) {
        call("cuMemcpyDtoHAsync");
        pinned(to);
        MemorySegment device = at(from, to.byteSize());
        put(on, () -> to.copyFrom(device));
    }

    @Override
    public void copy(long to, long from, long bytes, Stream on) {
        call("cuMemcpyDtoDAsync");
        MemorySegment target = at(to, bytes);
        MemorySegment source = at(from, bytes);
        put(on, () -> target.copyFrom(source));
    }

    @Override
    public void launch(Code kernel, KernelCall.Grid grid, MemorySegment arguments, Stream on) {
        call("cuLaunchKernel");
        String entry = codes.get(live(kernel).function());
        MemorySegment block = Arena.ofAuto().allocate(arguments.byteSize(), Long.BYTES).copyFrom(arguments);
        put(on, () -> {
            if (computes) {
                shim().run(entry, grid, block, Shim.Order.ASCENDING, 1);
            }
        });
    }

    /** Compiled when a kernel runs that it lacks, with all that were compiled for the device. */
    private Shim shim() {
        try {
            if (shimmed < sources.size()) {
                List<KernelSource> all = sources.values().stream().sorted((a, b) -> a.entry().compareTo(b.entry())).toList();
                shim = Shim.of(all);
                shimmed = all.size();
            }
            return shim;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void execute(Product product, Stream on) {
        call("cudnnBackendExecute");
        put(on, products.get(live(product).handle()));
    }

    @Override
    public void record(Stream on) {
        call("cuStreamBeginCapture");
        notRecorded("cuStreamBeginCapture");
        recording = live(on);
        recorded = new ArrayList<>();
        recordedMarks.clear();
        apart.clear();
    }

    @Override
    public Recording recorded(Stream on) {
        if (!live(on).equals(recording)) {
            throw new IllegalStateException("nothing is recorded");
        }
        boolean cameBack = apart.values().stream().allMatch(puts -> puts == 0);
        recording = null;
        apart.clear();
        call("cuStreamEndCapture");
        if (!cameBack) {
            throw UserError.other("cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_UNJOINED, not all streams came back");
        }
        Recording r = born(new Recording(++handles), null);
        recordings.put(r.handle(), recorded);
        recordedStreams = (int) Math.max(recordedStreams, recorded.stream().map(Step::on).distinct().count());
        return r;
    }

    @Override
    public void forget(Stream on) {
        recording = null;
        apart.clear();
        call("cuStreamEndCapture");
    }

    /** Streams that were recorded beside it, and events, are each replay's own. */
    @Override
    public void replay(Recording r, Stream on) {
        call("cuGraphLaunch");
        List<Step> steps = recordings.get(live(r).handle());
        Map<Stream, Stream> mapped = new HashMap<>();
        steps.stream().limit(1).forEach(s -> mapped.put(s.on(), on));
        Map<Event, Event> events = new HashMap<>();
        for (Step s : steps) {
            Stream to = mapped.computeIfAbsent(s.on(), _ -> {
                Stream beside = new Stream(++handles);
                streams.put(beside, new ArrayDeque<>());
                return beside;
            });
            switch (s) {
                case Step.Put(Stream _, Work w) -> streams.get(to).add(w);
                case Step.Mark(Stream _, Event e, int _) -> {
                    Event own = events.computeIfAbsent(e, _ -> new Event(++handles));
                    streams.get(to).add(new Work(() -> {
                        reached.put(own, 1L);
                        clock--;
                    }, () -> true));
                }
                case Step.Follow(Stream _, Event e) -> {
                    Event own = events.get(e);
                    streams.get(to).add(new Work(() -> clock--, () -> reached.containsKey(own)));
                }
            }
        }
        // By then they have come back.
        put(on, () -> {
            clock--;
            mapped.values().stream().filter(s -> s != on).forEach(streams::remove);
            events.values().forEach(reached::remove);
        });
    }

    @Override
    public void mark(Event event, Stream on) {
        call("cuEventRecord");
        if (isRecorded(on)) {
            var mark = new Step.Mark(on, live(event), apart.getOrDefault(on, 0));
            recorded.add(mark);
            recordedMarks.put(event, mark);
            return;
        }
        notRecorded("cuEventRecord");
        long mark = marks.merge(live(event), 1L, Long::sum);
        put(on, () -> {
            reached.put(event, mark);
            clocks.put(event, --clock);
        });
    }

    @Override
    public void follow(Stream on, Event event) {
        call("cuStreamWaitEvent");
        Step.Mark within = recording == null ? null : recordedMarks.get(event);
        if (within != null) {
            recorded.add(new Step.Follow(live(on), event));
            if (!on.equals(recording)) {
                apart.merge(on, 1, Integer::sum);
            } else if (apart.getOrDefault(within.on, 0) == within.puts) {
                apart.replace(within.on, 0);
            }
            return;
        }
        if (isRecorded(on)) {
            throw UserError.other("cuStreamWaitEvent: CUDA_ERROR_STREAM_CAPTURE_ISOLATION, the event is not of the recording");
        }
        notRecorded("cuStreamWaitEvent");
        long mark = marks.getOrDefault(live(event), 0L);
        streams.get(live(on)).add(new Work(() -> clock--, () -> reached.getOrDefault(event, 0L) >= mark));
    }

    @Override
    public void whileWaiting(Runnable check) {
        this.check = check;
    }

    /** Waits as someone does who may give up. */
    private void poll(String name, BooleanSupplier done) {
        Patience.until(() -> {
            call(name);
            told(name);
            streams.keySet().stream().toList().forEach(this::advance);
            return done.getAsBoolean();
        }, check);
        told(name);
    }

    @Override
    public void await(Event event) {
        notRecorded("cuEventSynchronize");
        long mark = marks.getOrDefault(live(event), 0L);
        if (check != null) {
            poll("cuEventQuery", () -> reached.getOrDefault(event, 0L) >= mark);
            return;
        }
        call("cuEventSynchronize");
        while (broken.isEmpty() && reached.getOrDefault(event, 0L) < mark) {
            boolean any = false;
            for (Stream s : List.copyOf(streams.keySet())) {
                any |= random.nextBoolean() ? advance(s) : !streams.get(s).isEmpty();
            }
            if (!any) {
                throw new IllegalStateException("nobody reaches the mark that is waited for");
            }
        }
        told("cuEventSynchronize");
    }

    @Override
    public void await(Stream stream) {
        notRecorded("cuStreamSynchronize");
        if (check != null) {
            poll("cuStreamQuery", () -> streams.get(live(stream)).isEmpty());
            return;
        }
        call("cuStreamSynchronize");
        drain(live(stream));
        told("cuStreamSynchronize");
    }

    @Override
    public void prepareRanks() {
        call("ncclGetVersion");
    }

    @Override
    public byte[] communicatorId() {
        call("ncclGetUniqueId");
        return wire.id();
    }

    @Override
    public Communicator join(byte[] id, int rank, int ranks) {
        call("ncclCommInitRankConfig");
        Communicator c = born(new Communicator(++handles), null);
        members.put(c, new Member(wire.join(id, rank, ranks), rank));
        return c;
    }

    @Override
    public boolean isReady(Communicator c) {
        call("ncclCommGetAsyncError");
        Member m = members.get(live(c));
        if (!m.group.failure().isEmpty()) {
            throw UserError.other("NCCL: %s", m.group.failure());
        }
        if (m.pending > 0) {
            m.pending--;
            return false;
        }
        return m.finishes ? m.group.areAllFinished() : m.group.areAllJoined();
    }

    /** What is asked of it now: only one thing at a time. */
    private Member idle(Communicator c) {
        Member m = members.get(live(c));
        if (m.pending > 0 || m.finishes || !m.group.areAllJoined()) {
            throw UserError.other("NCCL: invalid argument (the communicator is not ready)");
        }
        m.pending = random.nextInt(3);
        return m;
    }

    /** Each rank gives what it has, and the launch is done once all have. */
    @Override
    public void allReduce(Communicator c, List<Reduced> parts, boolean mean, Stream on) {
        call("ncclGroupStart");
        for (Reduced r : parts) {
            call("ncclAllReduce");
            at(r.from(), Float.BYTES * r.elements());
            at(r.to(), Float.BYTES * r.elements());
        }
        call("ncclGroupEnd");
        Member m = idle(c);
        put(on, () -> {
            if (m.aborted) {
                return; // the one before was not taken, and never will be
            }
            if (m.begun++ != m.taken) {
                throw new IllegalStateException("two exchanges of a communicator at once");
            }
            m.group.give(m.taken, m.rank, parts.stream().map(r -> at(r.from(), Float.BYTES * r.elements())
                    .toArray(ValueLayout.JAVA_FLOAT)).toList());
        });
        put(on, new Work(() -> {
            if (!m.aborted) {
                List<float[]> sums = m.group.take(m.taken++, mean);
                for (int i = 0; i < sums.size(); i++) {
                    at(parts.get(i).to(), Float.BYTES * parts.get(i).elements()).copyFrom(MemorySegment.ofArray(sums.get(i)));
                }
            }
        }, () -> m.aborted || m.group.isComplete(m.taken)));
    }

    @Override
    public void finish(Communicator c) {
        call("ncclCommFinalize");
        Member m = idle(c);
        m.finishes = true;
        m.group.finish(m.rank);
    }

    @Override
    public void abort(Communicator c) {
        call("ncclCommAbort");
        end(live(c));
        live.remove(c);
    }

    /** NCCL waits for recordings that hold it, for ever if need be. */
    private void end(Communicator c) {
        if (!recordings.isEmpty()) {
            throw new IllegalStateException("recordings are left that may exchange");
        }
        members.remove(c).aborted = true;
    }

    @Override
    public double milliseconds(Event from, Event to) {
        call("cuEventElapsedTime");
        return clocks.get(live(to)) - clocks.get(live(from));
    }

    @Override
    public void enter(String range) {
        open.addLast(range);
        ranges.merge(String.join(" > ", open), 1, Integer::sum);
    }

    @Override
    public void leave() {
        open.removeLast();
    }

    /** How often each range was entered, each named with those around it. */
    Map<String, Integer> ranges() {
        return ranges;
    }

    @Override
    public void close() {
        if (!open.isEmpty()) {
            throw new IllegalStateException(open + " were entered and not left");
        }
        call("cuDevicePrimaryCtxRelease");
        closed = true;
    }
}
