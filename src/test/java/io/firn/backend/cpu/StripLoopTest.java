package io.firn.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.firn.backend.cpu.Loop.Function;
import io.firn.backend.cpu.Loop.Kind;
import io.firn.backend.cpu.Loop.Reduce;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whether the compiler keeps a loop's vectors in registers: one that becomes an object, a hundred times slower, is allocated. */
class StripLoopTest {
    private static final int PIXELS = 4;
    private static final int RUNS = 5_000;
    private static final long PATIENCE = 10_000_000_000L;
    private static final ThreadMXBean THREAD = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** What ran before decides what the compiler inlines: here it has seen f32 almost always. The last are the largest. */
    @Test
    void bf16TakesNoObjectsAfterMuchF32() {
        for (Function f : List.of(Function.NONE, Function.RELU, Function.SILU, Function.RELU_GRAD)) {
            for (int terms = 1; terms <= 3; terms++) {
                bytes(kind(terms, f, terms > 2 ? 2 : 1, Reduce.SUM, 0));
            }
        }
        for (Function f : List.of(Function.NONE, Function.RELU, Function.SILU, Function.RELU_GRAD, Function.SILU_GRAD)) {
            assertThat(bytes(kind(2, f, 1, Reduce.SUM, -1))).as("bytes of a pixel, " + f).isZero();
        }
        assertThat(bytes(kind(3, Function.SILU_GRAD, 2, Reduce.PRODUCT, -1))).as("bytes of a pixel").isZero();
        assertThat(bytes(kind(3, Function.SILU_GRAD, 2, Reduce.MOMENTS, 0))).as("bytes of a pixel").isZero();
    }

    private static Kind kind(int terms, Function f, int saved, Reduce reduce, int bf16) {
        return new Kind(terms, f, f.isGradient() ? saved : 0, saved > 1, false, true, reduce, true, true, true, bf16);
    }

    /** Bytes a pixel that the loop takes from the heap once it is compiled as well as it ever is. */
    private static double bytes(Kind kind) {
        Loop loop = Loop.of(kind);
        int[] slots = new int[Loop.OPERANDS];
        int[] coefficients = new int[Step.COEFFICIENTS];
        Arrays.setAll(slots, i -> i);
        Step step = new Step(loop, loop, null, null, slots, coefficients, -1);
        Frame frame = new Frame(Loop.OPERANDS, Frame.VECTOR / Float.BYTES, 0);
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < Loop.OPERANDS; i++) {
                frame.address[i] = arena.allocate((long) PIXELS * Frame.VECTOR, Frame.VECTOR).address();
            }
            long least = Long.MAX_VALUE;
            long end = System.nanoTime() + PATIENCE;
            while (least > 0 && System.nanoTime() < end) {
                long before = THREAD.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < RUNS; i++) {
                    loop.run(frame, step, PIXELS);
                }
                least = Math.min(least, THREAD.getCurrentThreadAllocatedBytes() - before);
            }
            return (double) least / RUNS / PIXELS;
        }
    }
}
