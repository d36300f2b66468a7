package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.kernels.KernelCall;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * All that the backend asks of a GPU: {@link DriverDevice} is one, and the tests have one that is none. Work is put on
 * streams and done later; what fails may be told by any later call. Every failure is a {@link io.firn.error.UserError} that
 * names the call and gives the library's own words, of kind memory where memory does not suffice. Not for several threads at
 * once, yet for one thread after another.
 */
interface Device extends AutoCloseable {

    /** What was got from a device, and goes back to it by {@link #release}. */
    sealed interface Resource {
    }

    /** Device memory; its content is not defined at first. */
    record Memory(long address, long bytes) implements Resource {
    }

    /** Host memory that copies can overlap with work from and to. */
    record Pinned(MemorySegment host) implements Resource {
    }

    /** Work in order, beside that of other streams. */
    record Stream(long handle) implements Resource {
    }

    /** A point in a stream's work. */
    record Event(long handle) implements Resource {
    }

    /** A kernel's machine code on the device. */
    record Code(long module, long function) implements Resource {
    }

    /** A finished plan of cuDNN's with the addresses that it works on. */
    record Product(long handle) implements Resource {
    }

    /** This device's place among those of several ranks that exchange (an NCCL communicator). */
    record Communicator(long handle) implements Resource {
    }

    /** Elements of f32 on the device that are reduced over ranks: from one place into another, or in place. */
    record Reduced(long from, long to, long elements) {
    }

    /** A stream's work, recorded to be done again as a whole (a CUDA graph). */
    record Recording(long handle) implements Resource {
    }

    GpuProperties properties();

    /** Bytes that could be allocated now; what other processes have is not among them. */
    long freeMemory();

    Memory allocate(long bytes);

    Pinned pin(long bytes);

    Stream stream();

    Event event();

    Code code(String entry, byte[] cubin);

    /**
     * Restores a finished plan.
     *
     * @param plan      as cuDNN serialised it
     * @param addresses of the graph's inputs, then of its outputs
     * @param workspace address of the plan's scratch memory
     */
    Product product(CudnnGraph graph, byte[] plan, List<Long> addresses, long workspace);

    /** Gives it back. What is under way on it is done first; a communicator has ended in peace. */
    void release(Resource r);

    /**
     * Sees to it that this device can be one of several ranks'.
     *
     * @throws io.firn.error.UserError where NCCL is missing
     */
    void prepareRanks();

    /** What the ranks of one communicator have in common: rank 0 makes it, and gives it to all. */
    byte[] communicatorId();

    /** Begins to join the other ranks, and does not wait for them. */
    Communicator join(byte[] id, int rank, int ranks);

    /**
     * Whether what was asked of a communicator last is begun or done; nothing else may be asked before, but to abort.
     *
     * @throws io.firn.error.UserError what went wrong since, as far as NCCL knows
     */
    boolean isReady(Communicator c);

    /** Replaces elements by their sums or means over the ranks: all ranks do so in the same order. */
    void allReduce(Communicator c, List<Reduced> parts, boolean mean, Stream on);

    /** Begins to end it in peace, which all ranks do together; no recording that exchanges is left by then. */
    void finish(Communicator c);

    /** Ends it at once, and gives it back: what waits for other ranks on the device gives up. */
    void abort(Communicator c);

    void fill(long address, byte value, long bytes, Stream on);

    void upload(long to, MemorySegment from, Stream on);

    void download(MemorySegment to, long from, Stream on);

    void copy(long to, long from, long bytes, Stream on);

    /** @param arguments the kernel's only argument, by value; read before this returns */
    void launch(Code kernel, KernelCall.Grid grid, MemorySegment arguments, Stream on);

    void execute(Product product, Stream on);

    /** Records what is put on the stream from now on, in place of doing it. */
    void record(Stream on);

    /** Ends what {@link #record(Stream)} began. */
    Recording recorded(Stream on);

    /** Ends it where something failed: nothing is kept, and nothing more is told. */
    void forget(Stream on);

    void replay(Recording recording, Stream on);

    /** Marks the stream's work so far. */
    void mark(Event event, Stream on);

    /** Lets the stream's further work wait until the event's last mark is reached. */
    void follow(Stream on, Event event);

    /** From now on {@code check} is asked now and then while it waits, and what it throws ends the waiting; null for none. */
    void whileWaiting(Runnable check);

    /** Waits until the event's last mark is reached. */
    void await(Event event);

    /** Waits for all of the stream's work. */
    void await(Stream stream);

    /** Time between two marks that were reached. */
    double milliseconds(Event from, Event to);

    /** Begins a named range of this thread's time, within the one that is open, for whoever profiles. Never fails. */
    void enter(String range);

    /** Ends the range that was entered last. */
    void leave();

    @Override
    void close();
}
