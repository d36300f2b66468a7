package io.firn.oracle;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.firn.graph.DType;
import io.firn.plan.Buffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Predicate;

/**
 * Arenas of real bytes, as on a device: every store rounds, and nothing is checked. What was never written, and what was
 * a workspace, reads as NaN.
 */
final class PlanBytes implements PlanMemory {
    /** Every bit set is NaN in each floating-point type. */
    private static final byte POISON = -1;

    private final MemorySegment state;
    private final MemorySegment scratch;

    PlanBytes(long stateBytes, long scratchBytes) {
        state = Arena.ofAuto().allocate(stateBytes, Buffer.ALIGNMENT).fill(POISON);
        scratch = Arena.ofAuto().allocate(scratchBytes, Buffer.ALIGNMENT).fill(POISON);
    }

    @Override
    public void write(String by, Content content, Buffer to, double[] data) {
        double[] placed = PlanElements.store(to.layout(), to.type(), data);
        MemorySegment m = slice(to);
        DType dtype = to.type().dtype();
        for (int i = 0; i < placed.length; i++) {
            long at = (long) i * dtype.bytes();
            switch (dtype) {
                case F32 -> m.set(JAVA_FLOAT_UNALIGNED, at, (float) placed[i]);
                case BF16 -> m.set(JAVA_SHORT_UNALIGNED, at, DType.floatToBf16((float) placed[i]));
                case F16 -> m.set(JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16((float) placed[i]));
                case U8 -> m.set(JAVA_BYTE, at, (byte) placed[i]);
                case I32 -> m.set(JAVA_INT_UNALIGNED, at, (int) placed[i]);
            }
        }
    }

    @Override
    public double[] read(String by, Content content, Buffer from) {
        MemorySegment m = slice(from);
        DType dtype = from.type().dtype();
        double[] placed = new double[Math.toIntExact(PlanElements.contentBytes(from) / dtype.bytes())];
        for (int i = 0; i < placed.length; i++) {
            long at = (long) i * dtype.bytes();
            placed[i] = switch (dtype) {
                case F32 -> m.get(JAVA_FLOAT_UNALIGNED, at);
                case BF16 -> DType.bf16ToFloat(m.get(JAVA_SHORT_UNALIGNED, at));
                case F16 -> Float.float16ToFloat(m.get(JAVA_SHORT_UNALIGNED, at));
                case U8 -> m.get(JAVA_BYTE, at) & 0xFF;
                case I32 -> m.get(JAVA_INT_UNALIGNED, at);
            };
        }
        return PlanElements.load(from.layout(), from.type(), placed);
    }

    @Override
    public void poison(String by, long offset, long bytes) {
        scratch.asSlice(offset, bytes).fill(POISON);
    }

    @Override
    public void expire(Predicate<Content> lasting) {
        // Bytes stay as they are between steps.
    }

    @Override
    public void rename(Buffer where, Content before, Content after) {
        // Bytes have no names.
    }

    private MemorySegment slice(Buffer b) {
        return (b.arena() == Buffer.Arena.STATE ? state : scratch).asSlice(b.offset(), b.bytes());
    }
}
