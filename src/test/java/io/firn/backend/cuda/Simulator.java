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

/**
 * A GPU in this process's memory. Own kernels run as plain C++ with the argument blocks that a device would get, cuDNN's
 * graphs are interpreted. Work waits on its stream until someone waits for it, or until chance has it done; streams go on
 * side by side as their marks allow. Device memory is poisoned and guarded, and every call can be made to fail.
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
    private final Map<Long, List<Runnable>> recordings = new HashMap<>();
    private Shim shim;
    /** Kernels that it has: a backend that measures engines compiles more later. */
    private int shimmed;
    private Stream recording;
    private List<Runnable> recorded;
    private final Map<Event, Long> clocks = new HashMap<>();
    /** Simulated milliseconds of all work so far: one of everything but cuDNN's plans, which say it themselves. */
    private long clock;
    private long handles;
    private long allocated;
    private int calls;
    private int failingCall = -1;
    private int executed;
    private int failingWork = -1;
    private String broken = "";
    private final Deque<String> open = new ArrayDeque<>();
    private final Map<String, Integer> ranges = new LinkedHashMap<>();
    private boolean closed;

    /** What a stream does: at most once, and not before it may. */
    private record Work(Runnable run, Event waitsFor, long mark) {
    }

    /**
     * @param capacity bytes of device memory
     * @param seed     of the order in which streams go on
     * @param computes whether kernels run; else they are only counted
     */
    public Simulator(GpuProperties properties, long capacity, long seed, boolean computes) {
        this.properties = properties;
        this.capacity = capacity;
        this.computes = computes;
        random = new Random(seed);
    }

    /** Makes the call of that number fail, counted from now and from 0; negative for none. */
    void failCall(int number) {
        calls = 0;
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
        if (calls++ == failingCall) {
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
        if (on.equals(recording)) {
            recorded.add(work);
        } else {
            streams.get(live(on)).add(new Work(work, null, 0));
        }
    }

    /** Does a stream's next work, if it may; whether it did. */
    private boolean advance(Stream s) {
        Work w = streams.get(s).peek();
        if (w == null || w.waitsFor != null && reached.getOrDefault(w.waitsFor, 0L) < w.mark) {
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
    }

    @Override
    public Recording recorded(Stream on) {
        if (!live(on).equals(recording)) {
            throw new IllegalStateException("nothing is recorded");
        }
        recording = null;
        call("cuStreamEndCapture");
        Recording r = born(new Recording(++handles), null);
        recordings.put(r.handle(), recorded);
        return r;
    }

    @Override
    public void forget(Stream on) {
        recording = null;
        call("cuStreamEndCapture");
    }

    @Override
    public void replay(Recording r, Stream on) {
        call("cuGraphLaunch");
        recordings.get(live(r).handle()).forEach(w -> put(on, w));
    }

    @Override
    public void mark(Event event, Stream on) {
        call("cuEventRecord");
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
        notRecorded("cuStreamWaitEvent");
        long mark = marks.getOrDefault(live(event), 0L);
        streams.get(live(on)).add(new Work(() -> clock--, event, mark));
    }

    @Override
    public void await(Event event) {
        call("cuEventSynchronize");
        notRecorded("cuEventSynchronize");
        long mark = marks.getOrDefault(live(event), 0L);
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
        call("cuStreamSynchronize");
        notRecorded("cuStreamSynchronize");
        drain(live(stream));
        told("cuStreamSynchronize");
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
