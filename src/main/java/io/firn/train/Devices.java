package io.firn.train;

import io.firn.backend.Backend;
import io.firn.backend.cpu.CpuBackend;
import io.firn.backend.cuda.CudaBackend;
import io.firn.data.CacheFolder;
import io.firn.error.UserError;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Opens the device that an option names; tests put a device of their own in its place. */
@FunctionalInterface
public interface Devices {
    Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    /**
     * @param device  {@code auto}, {@code cpu} or {@code cuda[:N]}
     * @param threads that compute, on a CPU
     */
    Backend open(String device, int threads);

    /**
     * The devices of this machine; {@code auto} is the first GPU where one can be used.
     *
     * @throws UserError (usage) where there is no such device
     */
    static Backend local(String device, int threads) {
        if (device.equals("cpu") || device.equals("auto") && !whyNoCuda().isEmpty()) {
            return CpuBackend.open(threads);
        }
        Matcher cuda = CUDA.matcher(device);
        if (device.equals("auto") || cuda.matches()) {
            int index = device.equals("auto") || cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1));
            return CudaBackend.open(index, CacheFolder.of("cuda"));
        }
        if (device.startsWith("cuda:") && device.contains(",")) {
            throw UserError.usage("--device %s: a process computes on one GPU", device);
        }
        throw UserError.usage("--device %s: there is auto, cpu and cuda[:N]", device);
    }

    /**
     * The device of one of several ranks of a machine, where no number was given: a GPU each.
     *
     * @param device {@code auto}, {@code cpu} or {@code cuda[:N]}
     * @param number of the GPU that is this rank's
     */
    static String ofRank(String device, int number) {
        return device.equals("cuda") || device.equals("auto") && whyNoCuda().isEmpty() ? "cuda:" + number : device;
    }

    /** Why the first GPU cannot be used, one line; empty where it can. */
    static String whyNoCuda() {
        return CudaBackend.problem(0);
    }
}
