package io.firn.backend.cuda;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** The CUDA backend on a simulated H100. */
public final class SimulatedGpu {
    private static final long PEAK_SIDE = 8;
    private static final long CAPACITY = 2L << 30;

    private SimulatedGpu() {
    }

    static GpuProperties h100() {
        try (InputStream in = CudaTarget.class.getResourceAsStream("h100.json")) {
            ObjectMapper json = new ObjectMapper();
            return json.treeToValue(json.readTree(in).get("device"), GpuProperties.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param folder that no other process has */
    public static CudaBackend backend(Path folder, long seed) {
        return backend(new Simulator(h100(), CAPACITY, seed, true), folder);
    }

    static CudaBackend backend(Simulator gpu, Path folder) {
        return new CudaBackend(gpu, _ -> new SimulatedEngines(), gpu, folder, PEAK_SIDE);
    }

    /** One that exchanges with those of other ranks. */
    public static CudaBackend backend(Path folder, long seed, SimulatedWire wire) {
        return backend(new Simulator(h100(), CAPACITY, seed, true, wire), folder);
    }

    /** One whose kernels do not run. */
    static Simulator idle(long capacity, long seed) {
        return new Simulator(h100(), capacity, seed, false);
    }
}
