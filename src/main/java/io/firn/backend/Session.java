package io.firn.backend;

import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.Program;
import java.lang.foreign.MemorySegment;

/**
 * A program loaded on a device, ready to be stepped: memory is allocated, kernels are built, and a step is one loop. Not
 * for several threads at once.
 */
public interface Session extends AutoCloseable {

    Program program();

    /**
     * Host memory of an input of a plan, to be filled before {@link #step}. Pixels are u8 [N,H,W,C], labels i32 [N], rates
     * f32, counter i32. Valid until the session is closed.
     */
    MemorySegment input(Plan plan, String name);

    /** Runs the plan's step to its end; the first after another plan's also runs what is prepared once. */
    void step(Plan plan);

    /** Copies an f32 output of the last step, in logical row-major order, into {@code to}. */
    void output(Plan plan, String name, float[] to);

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
