package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.cpu.CpuBackend;
import io.firn.backend.cuda.CudaDriver;
import io.firn.error.UserError;

/** Opens the device that an option names; tests put a device of their own in its place. */
@FunctionalInterface
public interface Devices {
    String NO_CUDA = "Firn's CUDA backend is not built yet";

    /**
     * @param device  {@code auto}, {@code cpu} or {@code cuda[:N]}
     * @param threads that compute, on a CPU
     */
    Backend open(String device, int threads);

    /**
     * The devices of this machine.
     *
     * @throws UserError (usage) where there is no such device
     */
    static Backend local(String device, int threads) {
        if (device.equals("auto") || device.equals("cpu")) {
            return CpuBackend.open(threads);
        }
        if (device.equals("cuda") || device.startsWith("cuda:")) {
            throw UserError.usage("--device %s: %s; use --device cpu", device, whyNoCuda(CudaDriver.probe()));
        }
        throw UserError.usage("--device %s: there is auto, cpu and cuda", device);
    }

    static String whyNoCuda(CudaDriver driver) {
        return driver.problem().isEmpty() ? NO_CUDA : driver.problem() + "; " + NO_CUDA;
    }
}
