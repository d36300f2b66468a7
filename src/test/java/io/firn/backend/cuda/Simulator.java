package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.CudnnInterpreter;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.KernelCompiler;
import io.firn.backend.cuda.kernels.KernelSource;
import io.firn.backend.cuda.kernels.Shim;
import io.firn.error.UserError;
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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * A GPU in this process's memory. Own kernels run as plain C++ with the argument blocks that a device would get, cuDNN's
 * graphs are interpreted. Work is done late, in an order that chance decides ({@link SimulatedStreams}), and what exchanges
 * with other ranks' GPUs waits for them. Device memory is poisoned and guarded ({@link SimulatedMemory}), and every call can
 * be made to fail.
 */
public final class Simulator implements Device, KernelCompiler {
    private final GpuProperties properties;
    private final Random random;
    private final SimulatedMemory memory;
    private final SimulatedStreams streams;
    private final boolean computes;
    private final Map<String, KernelSource> sources = new ConcurrentHashMap<>();
    private final Set<Resource> live = new LinkedHashSet<>();
    private final Map<Long, Runnable> products = new HashMap<>();
    private final Map<Long, String> codes = new HashMap<>();
    private final Map<Long, List<SimulatedStreams.Step>> recordings = new HashMap<>();
    private final Map<Communicator, Member> members = new HashMap<>();
    private final SimulatedWire wire;
    private Shim shim;
    /** Kernels that it has: a backend that measures engines compiles more later. */
    private int shimmed;
    private Runnable check;
    private long handles;
    private int calls;
    private int failingCall = -1;
    private String failingName = "";
    private final Deque<String> open = new ArrayDeque<>();
    private final Map<String, Integer> ranges = new LinkedHashMap<>();
    private boolean closed;

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
        this.computes = computes;
        random = new Random(seed);
        memory = new SimulatedMemory(capacity);
        streams = new SimulatedStreams(random);
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
        streams.fail(number);
    }

    /** Calls since the last {@link #failCall}. */
    int calls() {
        return calls;
    }

    /** Works done since the last {@link #failWork}. */
    int executed() {
        return streams.executed();
    }

    /** The most streams that a recording so far has had. */
    int recordedStreams() {
        return streams.recordedStreams();
    }

    /** What was not given back. */
    List<Resource> leaked() {
        return List.copyOf(live);
    }

    long allocated() {
        return memory.allocated();
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
        streams.goOn();
    }

    private <R extends Resource> R live(R r) {
        if (!live.contains(r)) {
            throw new IllegalStateException(r + " is not there, or was given back");
        }
        return r;
    }

    private <R extends Resource> R born(R r) {
        live.add(r);
        return r;
    }

    @Override
    public GpuProperties properties() {
        return properties;
    }

    @Override
    public long freeMemory() {
        call("cuMemGetInfo");
        streams.told("cuMemGetInfo");
        return memory.free();
    }

    @Override
    public Memory allocate(long bytes) {
        call("cuMemAlloc");
        streams.notRecorded("cuMemAlloc");
        return born(memory.allocate(bytes));
    }

    @Override
    public Pinned pin(long bytes) {
        call("cuMemHostAlloc");
        streams.notRecorded("cuMemHostAlloc");
        return born(memory.pin(bytes));
    }

    @Override
    public Stream stream() {
        call("cuStreamCreate");
        Stream s = born(new Stream(++handles));
        streams.add(s);
        return s;
    }

    @Override
    public Event event() {
        call("cuEventCreate");
        return born(new Event(++handles));
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
        Code c = born(new Code(++handles, ++handles));
        codes.put(c.function(), entry);
        return c;
    }

    @Override
    public Product product(CudnnGraph graph, byte[] plan, List<Long> addresses, long workspace) {
        call("cudnnBackendFinalize of restored plan");
        streams.notRecorded("cudnnBackendFinalize of restored plan");
        List<Tensor> tensors = new ArrayList<>(graph.inputs());
        tensors.addAll(graph.outputs());
        if (plan.length == 0 || addresses.size() != tensors.size()) {
            throw new IllegalStateException("%d addresses for %d tensors".formatted(addresses.size(), tensors.size()));
        }
        for (int i = 0; i < tensors.size(); i++) {
            memory.at(addresses.get(i), SimulatedMemory.bytes(tensors.get(i)));
            if (addresses.get(i) % tensors.get(i).alignment() != 0) {
                throw new IllegalStateException(tensors.get(i) + " lies at no multiple of its alignment");
            }
        }
        if (workspace % CudnnCalls.ENGINE_ALIGNMENT != 0) {
            throw new IllegalStateException("a workspace at no multiple of its alignment");
        }
        Product p = born(new Product(++handles));
        products.put(p.handle(), () -> {
            streams.took(plan[0]);
            if (!computes) {
                return;
            }
            List<double[]> in = new ArrayList<>();
            for (int i = 0; i < graph.inputs().size(); i++) {
                in.add(memory.read(graph.inputs().get(i), addresses.get(i)));
            }
            memory.at(workspace, SimulatedEngines.WORKSPACE).fill(SimulatedMemory.POISON);
            List<double[]> out = CudnnInterpreter.run(graph, in);
            for (int i = 0; i < out.size(); i++) {
                memory.write(graph.outputs().get(i), addresses.get(in.size() + i), out.get(i));
            }
        });
        return p;
    }

    @Override
    public void release(Resource r) {
        call("release of " + r.getClass().getSimpleName());
        live(r);
        if (r instanceof Communicator c) {
            Member m = members.get(c);
            if (!m.finishes || !m.group.areAllFinished()) {
                throw new IllegalStateException("a communicator is given back that has not ended");
            }
            end(c);
        }
        live.remove(r);
        switch (r) {
            case Stream s -> streams.remove(s);
            case Recording g -> recordings.remove(g.handle());
            case Memory m -> {
                streams.drain();
                memory.release(m);
            }
            case Pinned p -> {
                streams.drain();
                memory.release(p);
            }
            case Event _, Code _, Product _, Communicator _ -> { }
        }
    }

    @Override
    public void fill(long address, byte value, long bytes, Stream on) {
        call("cuMemsetD8Async");
        MemorySegment to = memory.at(address, bytes);
        streams.put(live(on), () -> to.fill(value));
    }

    @Override
    public void upload(long to, MemorySegment from, Stream on) {
        call("cuMemcpyHtoDAsync");
        MemorySegment device = memory.at(to, from.byteSize());
        if (memory.isPinned(from)) {
            streams.put(live(on), () -> device.copyFrom(from));
        } else {
            // From ordinary memory the driver copies before it returns.
            MemorySegment copy = Arena.ofAuto().allocate(from.byteSize()).copyFrom(from);
            streams.put(live(on), () -> device.copyFrom(copy));
        }
    }

    @Override
    public void download(MemorySegment to, long from, Stream on) {
        call("cuMemcpyDtoHAsync");
        if (!memory.isPinned(to)) {
            throw new IllegalStateException("a copy to memory that is not pinned");
        }
        MemorySegment device = memory.at(from, to.byteSize());
        streams.put(live(on), () -> to.copyFrom(device));
    }

    @Override
    public void copy(long to, long from, long bytes, Stream on) {
        call("cuMemcpyDtoDAsync");
        MemorySegment target = memory.at(to, bytes);
        MemorySegment source = memory.at(from, bytes);
        streams.put(live(on), () -> target.copyFrom(source));
    }

    @Override
    public void launch(Code kernel, KernelCall.Grid grid, MemorySegment arguments, Stream on) {
        call("cuLaunchKernel");
        String entry = codes.get(live(kernel).function());
        MemorySegment block = Arena.ofAuto().allocate(arguments.byteSize(), Long.BYTES).copyFrom(arguments);
        streams.put(live(on), () -> {
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
        streams.put(live(on), products.get(live(product).handle()));
    }

    @Override
    public void record(Stream on) {
        call("cuStreamBeginCapture");
        streams.notRecorded("cuStreamBeginCapture");
        streams.record(live(on));
    }

    @Override
    public Recording recorded(Stream on) {
        if (!streams.records(live(on))) {
            throw new IllegalStateException("nothing is recorded");
        }
        boolean cameBack = streams.end();
        call("cuStreamEndCapture");
        if (!cameBack) {
            throw UserError.other("cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_UNJOINED, not all streams came back");
        }
        Recording r = born(new Recording(++handles));
        recordings.put(r.handle(), streams.recorded());
        return r;
    }

    @Override
    public void forget(Stream on) {
        streams.end();
        call("cuStreamEndCapture");
    }

    @Override
    public void replay(Recording r, Stream on) {
        call("cuGraphLaunch");
        streams.replay(recordings.get(live(r).handle()), live(on));
    }

    @Override
    public void mark(Event event, Stream on) {
        call("cuEventRecord");
        streams.mark(live(event), live(on));
    }

    @Override
    public void follow(Stream on, Event event) {
        call("cuStreamWaitEvent");
        streams.follow(live(on), live(event));
    }

    @Override
    public void whileWaiting(Runnable check) {
        this.check = check;
    }

    /** Waits as someone does who may give up. */
    private void poll(String name, BooleanSupplier done) {
        Patience.until(() -> {
            call(name);
            streams.told(name);
            streams.advance();
            return done.getAsBoolean();
        }, check);
        streams.told(name);
    }

    @Override
    public void await(Event event) {
        streams.notRecorded("cuEventSynchronize");
        if (check != null) {
            poll("cuEventQuery", streams.reaches(live(event)));
            return;
        }
        call("cuEventSynchronize");
        streams.await(live(event));
        streams.told("cuEventSynchronize");
    }

    @Override
    public void await(Stream stream) {
        streams.notRecorded("cuStreamSynchronize");
        if (check != null) {
            poll("cuStreamQuery", () -> streams.isDone(live(stream)));
            return;
        }
        call("cuStreamSynchronize");
        streams.drain(live(stream));
        streams.told("cuStreamSynchronize");
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
        Communicator c = born(new Communicator(++handles));
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
            memory.at(r.from(), Float.BYTES * r.elements());
            memory.at(r.to(), Float.BYTES * r.elements());
        }
        call("ncclGroupEnd");
        Member m = idle(c);
        streams.put(live(on), () -> {
            if (m.aborted) {
                return; // the one before was not taken, and never will be
            }
            if (m.begun++ != m.taken) {
                throw new IllegalStateException("two exchanges of a communicator at once");
            }
            m.group.give(m.taken, m.rank, parts.stream().map(r -> memory.at(r.from(), Float.BYTES * r.elements())
                    .toArray(ValueLayout.JAVA_FLOAT)).toList());
        });
        streams.put(live(on), () -> {
            if (!m.aborted) {
                List<float[]> sums = m.group.take(m.taken++, mean);
                for (int i = 0; i < sums.size(); i++) {
                    memory.at(parts.get(i).to(), Float.BYTES * parts.get(i).elements()).copyFrom(MemorySegment.ofArray(sums.get(i)));
                }
            }
        }, () -> m.aborted || m.group.isComplete(m.taken));
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
        return streams.milliseconds(live(from), live(to));
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
