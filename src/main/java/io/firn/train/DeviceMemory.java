package io.firn.train;

import io.firn.error.UserError;
import io.firn.plan.Program;
import io.firn.plan.Target;
import java.util.Locale;
import java.util.function.IntFunction;

/** Whether a program fits into the memory of the GPU that it is planned for. */
public final class DeviceMemory {
    /** For CUDA's context, the libraries' own and what fragmentation takes: stated, not measured. */
    public static final long RESERVED = 1L << 30;

    private DeviceMemory() {
    }

    /**
     * Refuses a program that does not fit. On a processor, whose memory is the machine's, all fits.
     *
     * @param of the same program for a batch, or one that needs nearly as much
     * @throws UserError (memory) that names the largest batch that fits
     */
    public static void check(Program program, int batch, IntFunction<Program> of) {
        Target target = program.plans().getFirst().target();
        if (!(target.device() instanceof Target.Device.Gpu gpu) || program.bytes() + RESERVED <= gpu.memory()) {
            return;
        }
        // What the program needs beside the other's estimate of it counts for every batch.
        long beside = program.bytes() - of.apply(batch).bytes();
        int fits = largest(batch - 1, gpu.memory() - RESERVED - beside, of);
        throw UserError.memory("--batch %d needs %s, and %s has %s beside the %s of CUDA itself; %s", batch,
                gigabytes(program.bytes()), target.name(), gigabytes(gpu.memory() - RESERVED), gigabytes(RESERVED),
                fits == 0 ? "not even --batch 1 fits: give a smaller model or --resolution"
                        : "the largest batch that fits is --batch " + fits);
    }

    /** The largest batch up to {@code most} whose program needs no more; 0 where none does. */
    private static int largest(int most, long bytes, IntFunction<Program> of) {
        int low = 0;
        int high = most;
        while (low < high) {
            int middle = (int) ((low + (long) high + 1) / 2);
            if (of.apply(middle).bytes() <= bytes) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    private static String gigabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
    }
}
