package io.firn.backend.cpu;

import io.firn.error.UserError;
import io.firn.plan.Buffer;
import io.firn.plan.Program;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The memory of a program's states, one range of addresses. What no step touches ({@link ColdStates}) lies in a mapped
 * file, where one is to be had: once used it is released, and need not be resident until it is used again.
 */
final class StateArena implements AutoCloseable {
    /** Less is not worth a file. */
    private static final long WORTH = 16L << 20;
    /** The largest page that Linux has on any processor: what is mapped begins and ends at multiples of it. */
    private static final long UNIT = 64 << 10;

    /** Bytes of the arena, and where they begin in the file. */
    private record Part(ColdStates.Range range, long at) {
    }

    private final NativeArena memory;
    private final Optional<NamelessFile> file;
    /** What is in the file; nothing where there is none, or once it took no more. */
    private final List<Part> parts = new ArrayList<>();

    /** @param folder where the file is made; where none can be, all is ordinary memory */
    static StateArena of(Program program, Path folder) {
        NativeArena memory = new NativeArena(program.state().bytes());
        List<ColdStates.Range> cold = ColdStates.ranges(program).stream().map(r -> r.within(UNIT))
                .filter(r -> r.bytes() > 0).toList();
        long total = cold.stream().mapToLong(ColdStates.Range::bytes).sum();
        return new StateArena(memory, cold, total < WORTH ? Optional.empty() : NamelessFile.create(folder, total));
    }

    /**
     * @param memory zeros, this one's to close, as the file
     * @param cold   what of it is to be in the file; begins and ends at multiples of 64 KiB
     * @param file   with room for it
     */
    StateArena(NativeArena memory, List<ColdStates.Range> cold, Optional<NamelessFile> file) {
        this.memory = memory;
        this.file = file;
        if (file.isEmpty()) {
            return;
        }
        long at = 0;
        for (ColdStates.Range r : cold) {
            if (file.get().map(address() + r.from(), r.bytes(), at, Libc.SHARED)) {
                parts.add(new Part(r, at));
            } else {
                mapAnew(r);
            }
            at += r.bytes();
        }
    }

    /** A mapping that failed may have removed what was there. */
    private void mapAnew(ColdStates.Range r) {
        long address = address() + r.from();
        int how = Libc.PRIVATE | Libc.ANONYMOUS | Libc.FIXED;
        if (Libc.mmap(address, r.bytes(), how, -1, 0) != address) {
            close();
            throw lacking(r);
        }
    }

    private static UserError lacking(ColdStates.Range r) {
        return UserError.memory("the system has no %,d MB for the weights of the plan", r.bytes() >> 20);
    }

    long address() {
        return memory.address();
    }

    /** A view of part of it, which must not be used after {@link #close}. */
    MemorySegment segment(long offset, long size) {
        return memory.segment(offset, size);
    }

    /** Replaces a state, without making resident what is in the file. */
    void write(Buffer state, float[] data) {
        MemorySegment from = MemorySegment.ofArray(data);
        MemorySegment to = segment(state.offset(), from.byteSize());
        long start = state.offset();
        long done = 0;
        for (Part p : List.copyOf(parts)) {
            if (p.range.overlaps(start, state.end())) {
                long first = Math.max(0, p.range.from() - start);
                long last = Math.min(state.end(), p.range.to()) - start;
                to.asSlice(done, first - done).copyFrom(from.asSlice(done, first - done));
                long at = p.at + start + first - p.range.from();
                if (!file.orElseThrow().write(from.asSlice(first, last - first), at)) {
                    leaveFile();
                    break;
                }
                done = last;
            }
        }
        to.asSlice(done).copyFrom(from.asSlice(done));
    }

    /** For a disk that took less than it had promised: what is written from now on stays in memory. */
    private void leaveFile() {
        for (Part p : parts) {
            if (!file.orElseThrow().map(address() + p.range.from(), p.range.bytes(), p.at, Libc.PRIVATE)) {
                throw lacking(p.range);
            }
        }
        parts.clear();
    }

    /** Says that these bytes were used, and will not be for a while. They stay what they are. */
    void release(Buffer used) {
        for (Part p : parts) {
            if (p.range.overlaps(used.offset(), used.end())) {
                // All of the part: reading some of it maps what the system's cache has around it, too.
                Libc.madvise(address() + p.range.from(), p.range.bytes(), Libc.ADVISE_UNNEEDED);
            }
        }
    }

    @Override
    public void close() {
        memory.close();
        file.ifPresent(NamelessFile::close);
    }
}
