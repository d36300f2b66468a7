package io.firn.backend.cuda;

import java.nio.file.Path;
import java.util.EnumSet;
import org.junit.jupiter.api.Assumptions;

/** NVIDIA's libraries for the tests that need them; the others are skipped, and say why. */
public final class CudaFixture {
    private static final CudaLibraries FOUND = CudaLibraries.find();

    private CudaFixture() {
    }

    /** What this machine has, ready to plan with; ends the test as skipped where it does not suffice. */
    public static CudaLibraries libraries() {
        String problem = FOUND.problem(EnumSet.of(CudaLibrary.CUDNN));
        if (!problem.isEmpty()) {
            System.out.println("skipped, cuDNN cannot be used here: " + problem);
        }
        Assumptions.assumeTrue(problem.isEmpty(), problem);
        return FOUND;
    }

    /** Loads cuDNN for planning; ends the test as skipped where it is missing. */
    public static void loadCudnn() {
        libraries().loadForPlanning(EnumSet.of(CudaLibrary.CUDNN), cache());
    }

    /** Survives the build's cleaning no more than any of its outputs. */
    public static Path cache() {
        return Path.of("target", "cuda-cache");
    }
}
