package io.firn.backend;

import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A program loaded on a device, ready to be stepped: memory is allocated, kernels are built, and a step is one loop. Not
 * for several threads at once.
 */
public interface Session extends AutoCloseable {

    Program program();

    /**
     * Host memory of an input of a plan, to be filled whole before the plan's next step, and asked for again for the one
     * after: a device has several places, which it reads while others are filled. An input that was not asked for is as in
     * the step before. Pixels are u8 [N,H,W,C], labels i32 [N], rates f32, counter i32.
     */
    MemorySegment input(Plan plan, String name);

    /** Runs the plan's step to its end; the first after another plan's also runs what is prepared once. */
    void step(Plan plan);

    /** Told when a launch of a step ran: nanoseconds of one clock, whose zero means nothing. */
    @FunctionalInterface
    interface Timeline {
        void ran(Launch launch, long start, long end);
    }

    /** Runs a step launch by launch, each timed, after a {@link #step} of the same plan; the results are the same. */
    default void step(Plan plan, Timeline timeline) {
        for (Launch l : plan.launches()) {
            long start = System.nanoTime();
            run(plan, l);
            timeline.ran(l, start, System.nanoTime());
        }
    }

    /** How many steps may be under way while another is begun: 0 where a step is done when {@link #begin} returns. */
    default int ahead() {
        return 0;
    }

    /** What an output came to; waits until it is there. */
    @FunctionalInterface
    interface Awaited {
        void copy(float[] to);
    }

    /**
     * Begins the plan's step like {@link #step} and does not wait for its end, so that a device is never idle while the
     * next step's inputs are filled. The f32 output is to be asked for before the step after the next begins.
     */
    default Awaited begin(Plan plan, String output) {
        step(plan);
        float[] result = new float[Math.toIntExact(plan.output(output).type().shape().elements())];
        output(plan, output, result);
        return to -> System.arraycopy(result, 0, to, 0, result.length);
    }

    /** Copies an f32 output of the last step, in logical row-major order, into {@code to}. */
    void output(Plan plan, String name, float[] to);

    /** Copies an output of the last step as it lies there, in its buffer's type and layout, into {@code to}. */
    void output(Plan plan, String name, MemorySegment to);

    /**
     * The memory of an f32 output itself, in logical row-major order, where it lies in this process: what the next step
     * overwrites, and what is gone once the session is closed. Empty elsewhere: there {@link #output} copies.
     */
    default Optional<MemorySegment> memory(Plan plan, String output) {
        return Optional.empty();
    }

    /**
     * The same of a state, in torchvision's layout; for reading, since what was prepared from it does not follow what is
     * written there: {@link #writeState} replaces it.
     */
    default Optional<MemorySegment> stateMemory(String name) {
        return Optional.empty();
    }

    /** Copies a state, in torchvision's layout, into {@code to}. */
    void readState(String name, float[] to);

    /** Replaces a state. What was prepared from it is prepared again before the next step. */
    void writeState(String name, float[] from);

    /** Runs one launch alone (selftest, profile). */
    void run(Plan plan, Launch launch);

    /** Copies any operand of a launch, in logical row-major order, whatever its layout; opaque ones are unpacked. */
    double[] read(Plan plan, Launch launch, boolean output, int index);

    @Override
    void close();
}
