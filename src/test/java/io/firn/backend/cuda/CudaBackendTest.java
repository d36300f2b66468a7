package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Peaks;
import io.firn.plan.Precision;
import io.firn.plan.Target;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which GPUs can be used and what is known of them. */
class CudaBackendTest {
    @TempDir
    Path folder;

    private static CudaDriver driver(GpuProperties... gpus) {
        return new CudaDriver("", true, gpus[0].driverVer() / 1000 + ".0", Arrays.stream(gpus)
                .map(p -> new CudaDriver.Gpu(p.deviceName(), p.computeCapability(), p.totalGlobalMem(), p)).toList());
    }

    private static GpuProperties like(GpuProperties p, int capability, int driver, int multiprocessors, String name) {
        return new GpuProperties(p.maxGridSize(), p.maxBlockSize(), p.regsPerBlock(), multiprocessors, p.smCountOrigin(),
                p.warpSize(), p.maxSharedMemoryPerBlock(), p.maxSharedMemoryPerBlockOptin(), p.reservedSharedMemoryPerBlock(),
                p.maxRegistersPerSM(), p.maxCtasPerSM(), p.maxThreadsPerBlock(), p.maxThreadsPerSM(), p.pciDeviceId(),
                p.isTccDriver(), p.supportCoopLaunch(), p.totalGlobalMem(), p.smClockRateKHz(), p.memClockRateKHz(),
                p.l2CacheSize(), p.cudaDeviceId(), capability, driver, name);
    }

    private static CudaLibraries libraries(boolean found) {
        return new CudaLibraries(Arrays.stream(CudaLibrary.values()).map(l -> new CudaLibraries.Entry(l,
                found ? Optional.of(Path.of(l.file())) : Optional.empty(), "", "", found ? "" : "not found")).toList(),
                Optional.empty());
    }

    @Test
    void whatCannotBeUsedHasAReason() {
        GpuProperties h100 = SimulatedGpu.h100();
        assertThat(CudaBackend.problem(driver(h100), libraries(true), 0)).isEmpty();
        assertThat(CudaBackend.problem(driver(h100), libraries(true), 1)).isEqualTo("there is one GPU, counted from 0");
        assertThat(CudaBackend.problem(driver(h100, h100), libraries(true), 2)).isEqualTo("there are 2 GPUs, counted from 0");
        assertThat(CudaBackend.problem(driver(like(h100, 750, 13_000, 40, "T4")), libraries(true), 0))
                .isEqualTo("T4 has compute capability 7.5, and Firn needs 8.0 or later");
        assertThat(CudaBackend.problem(driver(like(h100, 900, 12_040, 132, "H100")), libraries(true), 0))
                .contains("CUDA 12.0").contains("13.0 or later");
        assertThat(CudaBackend.problem(driver(h100), libraries(false), 0)).contains("cuDNN").contains("not found");
        assertThat(CudaBackend.problem(new CudaDriver("no driver", false, "", List.of()), libraries(true), 0))
                .isEqualTo("no driver");
    }

    @Test
    void aGpuIsTheTargetOfItsName() {
        GpuProperties h100 = SimulatedGpu.h100();
        Target known = CudaTarget.of(h100);
        assertThat(known.name()).isEqualTo("h100");
        assertThat(known.rates()).isEqualTo(CudaTarget.of("h100", _ -> List.of()).rates());
        Target half = CudaTarget.of(like(h100, 900, 13_000, 66, "NVIDIA H50"));
        assertThat(half.name()).isEqualTo("h50");
        assertThat(half.rates().half()).isEqualTo(known.rates().half() / 2);
        assertThat(half.rates().source()).contains("assumed");
        assertThat(((Target.Device.Gpu) half.device()).properties()).contains("\"multiProcessorCount\":66");
    }

    @Test
    void peaksAreMeasuredByTheDevicesClock() {
        try (CudaBackend gpu = SimulatedGpu.backend(SimulatedGpu.idle(1L << 30, 1), folder)) {
            Peaks peaks = gpu.measurePeaks();
            // A simulated copy takes a millisecond, a product three; the matrices have 8 rows and columns.
            assertThat(peaks.flops32()).isEqualTo(2 * 512 / 3e-3);
            assertThat(peaks.bandwidth()).isEqualTo(2 * 256 / 1e-3);
            assertThat(gpu.bestPrecision()).isEqualTo(Precision.BF16);
        }
    }
}
