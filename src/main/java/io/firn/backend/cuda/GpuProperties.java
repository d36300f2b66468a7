package io.firn.backend.cuda;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.firn.graph.Op;
import java.util.List;

/**
 * A GPU's properties, under the names that cuDNN's device descriptor takes as JSON
 * ({@code CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION}); all sizes are in bytes.
 *
 * @param deviceVer compute capability 9.0 as 900
 * @param driverVer CUDA version that the driver supports, 13.0 as 13000
 */
@JsonNaming(PropertyNamingStrategies.LowerCamelCaseStrategy.class)
public record GpuProperties(List<Integer> maxGridSize, List<Integer> maxBlockSize, int regsPerBlock, int multiProcessorCount,
                            int smCountOrigin, int warpSize, int maxSharedMemoryPerBlock, int maxSharedMemoryPerBlockOptin,
                            int reservedSharedMemoryPerBlock, int maxRegistersPerSM, int maxCtasPerSM,
                            int maxThreadsPerBlock, int maxThreadsPerSM, int pciDeviceId, int isTccDriver,
                            int supportCoopLaunch, long totalGlobalMem, int smClockRateKHz, int memClockRateKHz,
                            int l2CacheSize, int cudaDeviceId, int deviceVer, int driverVer, String deviceName) {

    public GpuProperties {
        Op.check(multiProcessorCount > 0 && totalGlobalMem > 0 && deviceVer >= 100, "a GPU of %d multiprocessors, %d bytes of "
                + "memory and deviceVer %d", multiProcessorCount, totalGlobalMem, deviceVer);
        maxGridSize = List.copyOf(maxGridSize);
        maxBlockSize = List.copyOf(maxBlockSize);
    }

    /** Such as 9.0. */
    public String computeCapability() {
        return deviceVer / 100 + "." + deviceVer % 100 / 10;
    }
}
