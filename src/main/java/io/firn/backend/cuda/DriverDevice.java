package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnFailure;
import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.Execution;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** A GPU through the driver library, in the context that cuDNN works in too, and cuDNN for products. */
final class DriverDevice implements Device {
    private static final int NON_BLOCKING = 1;
    /** What other threads do is no part of a recording, and does not disturb it. */
    private static final int THREAD_LOCAL = 1;

    private final Driver driver;
    private final GpuProperties properties;
    private final int number;
    private final MemorySegment context;
    private final Supplier<Execution.Handle> openCudnn;
    private final Supplier<Nccl> openNccl;
    private final Nvtx nvtx;
    private final Map<Long, Execution> products = new HashMap<>();
    private long made;
    private Execution.Handle cudnn;
    private Nccl nccl;
    /** Asked while it waits; null while there is nobody to wait for but the device. */
    private Runnable check;
    private boolean closed;

    /**
     * @param index     of the GPU, as the driver counts them
     * @param openCudnn called when the first product is made
     * @param openNccl  called when this device becomes one of several ranks'
     * @param nvtx      takes the ranges' names
     */
    DriverDevice(SymbolLookup library, int index, GpuProperties properties, Supplier<Execution.Handle> openCudnn,
                 Supplier<Nccl> openNccl, Nvtx nvtx) {
        driver = new Driver(library);
        this.properties = properties;
        this.openCudnn = openCudnn;
        this.openNccl = openNccl;
        this.nvtx = nvtx;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
            driver.call(DriverFunction.DEVICE_GET, result, index);
            number = result.get(ValueLayout.JAVA_INT, 0);
            driver.call(DriverFunction.CONTEXT_RETAIN, result, number);
            context = MemorySegment.ofAddress(result.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    /** Each time: a context is current to a thread until another device's is, in the same thread. */
    private void enterContext() {
        driver.call(DriverFunction.CONTEXT_SET, context);
    }

    private void call(DriverFunction f, Object... arguments) {
        enterContext();
        driver.call(f, arguments);
    }

    /** Calls a function whose first argument is where it puts its result, of at most eight bytes. */
    private long result(DriverFunction f, Object... rest) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
            Object[] arguments = new Object[rest.length + 1];
            arguments[0] = result;
            System.arraycopy(rest, 0, arguments, 1, rest.length);
            call(f, arguments);
            return result.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private static MemorySegment handle(long h) {
        return MemorySegment.ofAddress(h);
    }

    @Override
    public GpuProperties properties() {
        return properties;
    }

    @Override
    public long freeMemory() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment free = arena.allocate(ValueLayout.JAVA_LONG);
            call(DriverFunction.MEMORY_INFO, free, arena.allocate(ValueLayout.JAVA_LONG));
            return free.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    @Override
    public Memory allocate(long bytes) {
        return new Memory(result(DriverFunction.ALLOCATE, bytes), bytes);
    }

    @Override
    public Pinned pin(long bytes) {
        return new Pinned(handle(result(DriverFunction.PIN, bytes, 0)).reinterpret(bytes));
    }

    @Override
    public Stream stream() {
        return new Stream(result(DriverFunction.STREAM_CREATE, NON_BLOCKING));
    }

    @Override
    public Event event() {
        return new Event(result(DriverFunction.EVENT_CREATE, 0));
    }

    @Override
    public Code code(String entry, byte[] cubin) {
        try (Arena arena = Arena.ofConfined()) {
            // An ELF file has words of eight bytes.
            MemorySegment image = arena.allocate(cubin.length, Long.BYTES).copyFrom(MemorySegment.ofArray(cubin));
            long module = result(DriverFunction.MODULE_LOAD, image);
            try {
                return new Code(module, result(DriverFunction.MODULE_FUNCTION, handle(module), arena.allocateFrom(entry)));
            } catch (RuntimeException e) {
                call(DriverFunction.MODULE_UNLOAD, handle(module));
                throw e;
            }
        }
    }

    @Override
    public Product product(CudnnGraph graph, byte[] plan, List<Long> addresses, long workspace) {
        return cudnn(() -> {
            if (cudnn == null) {
                cudnn = openCudnn.get();
            }
            Execution e = Execution.restore(cudnn, graph, plan, addresses, workspace);
            products.put(++made, e);
            return new Product(made);
        });
    }

    /** In the context that cuDNN's handle was made for; failures in the form of the driver's. */
    private <T> T cudnn(Supplier<T> call) {
        enterContext();
        try {
            return call.get();
        } catch (CudnnFailure e) {
            throw UserError.other("%s", e.getMessage()).causedBy(e);
        }
    }

    @Override
    public void release(Resource r) {
        switch (r) {
            case Memory m -> call(DriverFunction.FREE, m.address());
            case Pinned p -> call(DriverFunction.UNPIN, p.host());
            case Stream s -> call(DriverFunction.STREAM_DESTROY, handle(s.handle()));
            case Event e -> call(DriverFunction.EVENT_DESTROY, handle(e.handle()));
            case Code c -> call(DriverFunction.MODULE_UNLOAD, handle(c.module()));
            case Communicator c -> nccl().destroy(handle(c.handle()));
            case Recording g -> call(DriverFunction.GRAPH_RELEASE, handle(g.handle()));
            case Product p -> cudnn(() -> {
                products.remove(p.handle()).close();
                return p;
            });
        }
    }

    @Override
    public void prepareRanks() {
        nccl();
    }

    /** In the context whose GPU its communicators are for. */
    private Nccl nccl() {
        enterContext();
        if (nccl == null) {
            nccl = openNccl.get();
        }
        return nccl;
    }

    @Override
    public byte[] communicatorId() {
        return nccl().id();
    }

    @Override
    public Communicator join(byte[] id, int rank, int ranks) {
        return new Communicator(nccl().join(id, rank, ranks).address());
    }

    @Override
    public boolean isReady(Communicator c) {
        return nccl().isReady(handle(c.handle()));
    }

    @Override
    public void allReduce(Communicator c, List<Reduced> parts, boolean mean, Stream on) {
        nccl().allReduce(handle(c.handle()), parts, mean, handle(on.handle()));
    }

    @Override
    public void finish(Communicator c) {
        nccl().finish(handle(c.handle()));
    }

    @Override
    public void abort(Communicator c) {
        nccl().abort(handle(c.handle()));
    }

    @Override
    public void fill(long address, byte value, long bytes, Stream on) {
        call(DriverFunction.FILL, address, value, bytes, handle(on.handle()));
    }

    @Override
    public void upload(long to, MemorySegment from, Stream on) {
        call(DriverFunction.UPLOAD, to, from, from.byteSize(), handle(on.handle()));
    }

    @Override
    public void download(MemorySegment to, long from, Stream on) {
        call(DriverFunction.DOWNLOAD, to, from, to.byteSize(), handle(on.handle()));
    }

    @Override
    public void copy(long to, long from, long bytes, Stream on) {
        call(DriverFunction.COPY, to, from, bytes, handle(on.handle()));
    }

    @Override
    public void launch(Code kernel, KernelCall.Grid g, MemorySegment arguments, Stream on) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointers = arena.allocateFrom(ValueLayout.ADDRESS, arguments);
            call(DriverFunction.LAUNCH, handle(kernel.function()), g.x(), g.y(), g.z(), g.columns(), g.rows(), 1, g.shared(),
                    handle(on.handle()), pointers, MemorySegment.NULL);
        }
    }

    @Override
    public void execute(Product product, Stream on) {
        cudnn(() -> {
            products.get(product.handle()).run(on.handle());
            return product;
        });
    }

    @Override
    public void record(Stream on) {
        call(DriverFunction.CAPTURE_BEGIN, handle(on.handle()), THREAD_LOCAL);
    }

    @Override
    public Recording recorded(Stream on) {
        long graph = endCapture(on);
        try {
            return new Recording(result(DriverFunction.GRAPH_INSTANTIATE, handle(graph), 0L));
        } finally {
            call(DriverFunction.GRAPH_DESTROY, handle(graph));
        }
    }

    private long endCapture(Stream on) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment graph = arena.allocate(ValueLayout.JAVA_LONG);
            call(DriverFunction.CAPTURE_END, handle(on.handle()), graph);
            return graph.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    @Override
    public void forget(Stream on) {
        long graph = endCapture(on);
        if (graph != 0) {
            call(DriverFunction.GRAPH_DESTROY, handle(graph));
        }
    }

    @Override
    public void replay(Recording recording, Stream on) {
        call(DriverFunction.GRAPH_LAUNCH, handle(recording.handle()), handle(on.handle()));
    }

    @Override
    public void mark(Event event, Stream on) {
        call(DriverFunction.EVENT_RECORD, handle(event.handle()), handle(on.handle()));
    }

    @Override
    public void follow(Stream on, Event event) {
        call(DriverFunction.STREAM_WAIT, handle(on.handle()), handle(event.handle()), 0);
    }

    @Override
    public void whileWaiting(Runnable check) {
        this.check = check;
    }

    @Override
    public void await(Event event) {
        await(DriverFunction.EVENT_SYNCHRONIZE, DriverFunction.EVENT_QUERY, handle(event.handle()));
    }

    @Override
    public void await(Stream stream) {
        await(DriverFunction.STREAM_SYNCHRONIZE, DriverFunction.STREAM_QUERY, handle(stream.handle()));
    }

    private void await(DriverFunction wait, DriverFunction query, MemorySegment what) {
        if (check == null) {
            call(wait, what);
        } else {
            enterContext();
            Patience.until(() -> driver.isDone(query, what), check);
        }
    }

    @Override
    public double milliseconds(Event from, Event to) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ms = arena.allocate(ValueLayout.JAVA_FLOAT);
            call(DriverFunction.EVENT_ELAPSED, ms, handle(from.handle()), handle(to.handle()));
            return ms.get(ValueLayout.JAVA_FLOAT, 0);
        }
    }

    @Override
    public void enter(String range) {
        nvtx.push(range);
    }

    @Override
    public void leave() {
        nvtx.pop();
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            if (cudnn != null) {
                cudnn(() -> {
                    cudnn.close();
                    return cudnn;
                });
            }
        } finally {
            driver.call(DriverFunction.CONTEXT_RELEASE, number);
        }
    }
}
