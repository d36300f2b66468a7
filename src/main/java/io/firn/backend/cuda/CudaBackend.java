package io.firn.backend.cuda;

import io.firn.backend.Backend;
import io.firn.backend.Collectives;
import io.firn.backend.Peaks;
import io.firn.backend.Session;
import io.firn.backend.Tuned;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.Execution;
import io.firn.backend.cuda.cudnn.LibraryEngines;
import io.firn.backend.cuda.cudnn.TunedEngines;
import io.firn.backend.cuda.kernels.CubinCache;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.backend.cuda.kernels.KernelCompiler;
import io.firn.backend.cuda.kernels.KernelSource;
import io.firn.backend.cuda.kernels.Nvrtc;
import io.firn.error.UserError;
import io.firn.plan.Kernels;
import io.firn.plan.Launch;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Target;
import io.firn.plan.TuningTable;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/** An NVIDIA GPU: cuDNN for products, NCCL between ranks, own kernels for the rest, a CUDA graph a step. */
public final class CudaBackend implements Backend {
    private static final Set<CudaLibrary> NEEDED = EnumSet.of(CudaLibrary.CUDNN, CudaLibrary.NVRTC);
    /** What the libraries load at first use and the driver keeps for recordings: stated, not measured. */
    static final long RESERVED = 512L << 20;
    /** NCCL's buffers and its code, beside that: stated, not measured. */
    private static final long NCCL_BYTES = 512L << 20;
    private static final long PEAK_SIDE = 8192;
    /** Compute capability 8.0, as cuDNN counts: bf16, tf32 and asynchronous copies. */
    private static final int AMPERE = 800;
    private static final int CUDA_13 = 13_000;

    private final Device device;
    private final Engines engines;
    private final Engines deterministic;
    /** Which engines programs that are still there were planned with. */
    private final List<Planned> planned = new ArrayList<>();
    private final CubinCache cubins;
    private final Target target;
    private final long peakSide;
    private boolean closed;

    private record Planned(WeakReference<Program> program, Engines engines) {
    }

    /**
     * @param engines  all, or only those that always give the same bits
     * @param peakSide of the matrices that {@link #measurePeaks} multiplies
     */
    CudaBackend(Device device, Function<Boolean, Engines> engines, KernelCompiler compiler, Path cache, long peakSide) {
        this.device = device;
        this.engines = engines.apply(false);
        deterministic = engines.apply(true);
        this.peakSide = peakSide;
        cubins = new CubinCache(cache.resolve("cubin"), compiler);
        target = CudaTarget.of(device.properties());
    }

    /**
     * Opens a GPU of this machine.
     *
     * @param index as the driver counts them
     * @param cache Firn's folder for what can be had again
     * @throws UserError (usage) where there is no such GPU, or one of NVIDIA's libraries is missing
     */
    public static CudaBackend open(int index, Path cache) {
        CudaDriver driver = CudaDriver.probe();
        CudaLibraries libraries = driver.problem().isEmpty() ? CudaLibraries.find() : CudaLibraries.NONE;
        String problem = problem(driver, libraries, index);
        if (!problem.isEmpty()) {
            throw UserError.usage("--device cuda%s: %s; use --device cpu", index == 0 ? "" : ":" + index, problem);
        }
        GpuProperties gpu = driver.gpus().get(index).properties();
        libraries.load(NEEDED);
        Function<Boolean, Engines> engines = deterministic -> new LibraryEngines(CudaTarget.json(gpu), deterministic,
                PlanningEngines.versions(libraries), cache.resolve("cudnn"));
        var nvrtc = Nvrtc.load(libraries.entry(CudaLibrary.NVRTC).path().orElseThrow());
        SymbolLookup library = SymbolLookup.libraryLookup(CudaDriver.LIBRARY, Arena.global());
        Nvtx nvtx = libraries.entry(CudaLibrary.NVTX).path().map(Nvtx::of).orElseGet(Nvtx::off);
        var device = new DriverDevice(library, index, gpu, Execution.Handle::open, () -> nccl(libraries), nvtx);
        try {
            return new CudaBackend(device, engines, nvrtc, cache, PEAK_SIDE);
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    private static Nccl nccl(CudaLibraries libraries) {
        Set<CudaLibrary> needed = EnumSet.of(CudaLibrary.NCCL);
        String problem = libraries.problem(needed);
        if (!problem.isEmpty()) {
            throw UserError.usage("training on several GPUs: %s", problem);
        }
        // It stays loaded: it has threads of its own.
        return new Nccl(SymbolLookup.libraryLookup(libraries.entry(CudaLibrary.NCCL).path().orElseThrow(), Arena.global()));
    }

    /** Why that GPU of this machine cannot be used, one line; empty where it can. */
    public static String problem(int index) {
        CudaDriver driver = CudaDriver.probe();
        // Looking for libraries takes tenths of a second.
        return problem(driver, driver.problem().isEmpty() ? CudaLibraries.find() : CudaLibraries.NONE, index);
    }

    static String problem(CudaDriver driver, CudaLibraries libraries, int index) {
        if (!driver.problem().isEmpty()) {
            return driver.problem();
        }
        if (index >= driver.gpus().size()) {
            return "there %s, counted from 0".formatted(driver.gpus().size() == 1 ? "is one GPU"
                    : "are %d GPUs".formatted(driver.gpus().size()));
        }
        CudaDriver.Gpu gpu = driver.gpus().get(index);
        if (gpu.properties().deviceVer() < AMPERE) {
            return "%s has compute capability %s, and Firn needs 8.0 or later".formatted(gpu.name(), gpu.computeCapability());
        }
        return gpu.properties().driverVer() < CUDA_13
                ? "the driver supports CUDA %s, and Firn needs 13.0 or later (driver R580)".formatted(driver.version())
                : libraries.problem(NEEDED);
    }

    @Override
    public Target target() {
        return target;
    }

    @Override
    public Kernels kernels(TuningTable table) {
        return new CudaKernels(engines(table), false, Map.of());
    }

    private Engines engines(TuningTable table) {
        return table.isDeterministic() ? deterministic : new TunedEngines(engines, table.choices());
    }

    private Engines engines(Program program) {
        return planned.stream().filter(p -> p.program.refersTo(program)).map(Planned::engines).findFirst()
                .orElse(engines);
    }

    @Override
    public Program plan(TuningTable table, List<PlanRequest> requests) {
        Engines chosen = engines(table);
        Program program = new CheckedPlans(target, chosen, _ -> { }).plan(requests);
        planned.removeIf(p -> p.program.refersTo(null));
        planned.add(new Planned(new WeakReference<>(program), chosen));
        return program;
    }

    @Override
    public Tuned tune(List<PlanRequest> requests, TuningTable known, Predicate<Program> measure) {
        return new CudaTuner(this, device, engines).tune(requests, known, measure);
    }

    @Override
    public Precision bestPrecision() {
        return Precision.BF16;
    }

    /** GPUs that lack one are not opened. */
    @Override
    public void check(Precision precision) {
    }

    @Override
    public OptionalLong freeMemory() {
        return OptionalLong.of(Math.max(0, device.freeMemory() - RESERVED));
    }

    @Override
    public long memory(Program program) {
        boolean exchanges = LaunchBinder.launches(program).stream().anyMatch(LaunchBinder::isCollective);
        return CudaSession.bytes(program) + (exchanges ? NCCL_BYTES : 0);
    }

    @Override
    public void checkRanks() {
        device.prepareRanks();
    }

    @Override
    public Session load(Program program, Collectives ranks) {
        List<Launch> launches = LaunchBinder.launches(program);
        launches.stream().filter(l -> l.kernel().implementation().equals(CudaKernels.NO_ENGINE)).findFirst()
                .ifPresent(l -> {
                    throw UserError.other("cuDNN (%s) has no engine for %s (%s) on %s", engines.versions(), l.name(), l.op(),
                            target.name());
                });
        List<KernelSource> sources = launches.stream().flatMap(l -> LaunchBinder.calls(l).stream()).map(KernelCall::source)
                .toList();
        Map<String, byte[]> compiled = cubins.cubins(sources, "sm_" + device.properties().deviceVer() / 10,
                Runtime.getRuntime().availableProcessors());
        long needed = memory(program);
        long free = device.freeMemory();
        if (needed > free - RESERVED) {
            throw UserError.memory("the plans need %.1f GB of device memory, and %s has %.1f GB free beside %.1f GB for "
                    + "CUDA's own; lower --batch or --resolution", needed / 1e9, target.name(), free / 1e9, RESERVED / 1e9);
        }
        return new CudaSession(device, engines(program), compiled, program, ranks);
    }

    @Override
    public Peaks measurePeaks() {
        return new DevicePeaks(device, engines, peakSide).measure();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            device.close();
        }
    }
}
