package io.firn.backend.cuda;

import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.LibraryEngines;
import io.firn.error.UserError;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Opens what answers for cuDNN when plans are made: the library where it is installed, else nobody. */
public final class PlanningEngines {
    static final Set<CudaLibrary> NEEDED = EnumSet.of(CudaLibrary.CUDNN);

    private PlanningEngines() {
    }

    /**
     * Loads cuDNN for a process that only plans. Where that cannot be, all is taken as it was found elsewhere, and the
     * plan's record says why nothing was checked.
     *
     * @param device        the GPU's properties, as cuDNN takes them (JSON)
     * @param deterministic whether only engines will do that always give the same bits
     * @param cache         Firn's folder for what can be had again
     */
    public static Engines open(String device, boolean deterministic, Path cache) {
        CudaLibraries libraries = CudaLibraries.find();
        String problem = libraries.problem(NEEDED);
        if (problem.isEmpty()) {
            try {
                libraries.loadForPlanning(NEEDED, cache.resolve("stub"));
                return new LibraryEngines(device, deterministic, versions(libraries), cache.resolve("cudnn"));
            } catch (UserError e) {
                problem = e.getMessage();
            }
        }
        return Engines.notChecked(problem);
    }

    /** cuDNN's, and NVRTC's, which compiles its kernels. */
    static String versions(CudaLibraries libraries) {
        return String.join(", ", List.of(CudaLibrary.CUDNN, CudaLibrary.NVRTC).stream()
                .map(l -> l.label() + " " + libraries.entry(l).version()).toList());
    }
}
