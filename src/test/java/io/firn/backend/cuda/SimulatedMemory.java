package io.firn.backend.cuda;

import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.cudnn.CudnnGraph.Tensor;
import io.firn.error.UserError;
import io.firn.graph.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** A simulated GPU's memory, and the host's that is pinned: poisoned at first, that of the device between guards. */
final class SimulatedMemory {
    static final byte POISON = (byte) 0xFF;
    private static final int GUARD = 256;

    private final long capacity;
    private final TreeMap<Long, Memory> memory = new TreeMap<>();
    private final Map<Memory, Arena> arenas = new HashMap<>();
    private final Map<Pinned, Arena> pinned = new HashMap<>();
    private long allocated;

    /** @param capacity bytes on the device */
    SimulatedMemory(long capacity) {
        this.capacity = capacity;
    }

    long allocated() {
        return allocated;
    }

    long free() {
        return capacity - allocated;
    }

    Memory allocate(long bytes) {
        if (bytes < 1) {
            throw UserError.other("cuMemAlloc: CUDA_ERROR_INVALID_VALUE, invalid argument");
        }
        if (bytes > free()) {
            throw UserError.memory("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY, out of memory");
        }
        Arena arena = Arena.ofShared();
        MemorySegment all = arena.allocate(bytes + 2 * GUARD, GUARD).fill(POISON);
        Memory m = new Memory(all.address() + GUARD, bytes);
        memory.put(m.address(), m);
        arenas.put(m, arena);
        allocated += bytes;
        return m;
    }

    void release(Memory m) {
        checkGuards(m);
        memory.remove(m.address());
        allocated -= m.bytes();
        arenas.remove(m).close();
    }

    Pinned pin(long bytes) {
        Arena arena = Arena.ofShared();
        Pinned p = new Pinned(arena.allocate(bytes, GUARD).fill(POISON));
        pinned.put(p, arena);
        return p;
    }

    void release(Pinned p) {
        pinned.remove(p).close();
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

    /** The bytes at an address, which must be within one allocation. */
    MemorySegment at(long address, long bytes) {
        var e = memory.floorEntry(address);
        if (e == null || address + bytes > e.getValue().address() + e.getValue().bytes()) {
            throw new IllegalStateException("%d bytes at %x are not on the device".formatted(bytes, address));
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    boolean isPinned(MemorySegment host) {
        return host.isNative() && pinned.keySet().stream().anyMatch(p -> host.address() >= p.host().address()
                && host.address() + host.byteSize() <= p.host().address() + p.host().byteSize());
    }

    static long bytes(Tensor t) {
        return t.type().bytes() * t.dims().stream().reduce(1L, Math::multiplyExact);
    }

    double[] read(Tensor t, long address) {
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

    void write(Tensor t, long address, double[] x) {
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
}
