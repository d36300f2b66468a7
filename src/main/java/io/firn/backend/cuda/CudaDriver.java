package io.firn.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * What NVIDIA's driver says of the GPUs here, asked without any of CUDA's own libraries. Never fails: where there is no
 * driver or no GPU, {@code problem} says why.
 *
 * @param problem why no GPU can be used; empty where one can
 * @param version of CUDA that the driver supports, such as 13.0; empty without a driver
 */
public record CudaDriver(String problem, String version, List<Gpu> gpus) {
    private static final String LIBRARY = "libcuda.so.1";
    private static final int NAME_BYTES = 256;
    // CUdevice_attribute of cuda.h.
    private static final int COMPUTE_CAPABILITY_MAJOR = 75;
    private static final int COMPUTE_CAPABILITY_MINOR = 76;

    public CudaDriver {
        gpus = List.copyOf(gpus);
    }

    /**
     * A GPU.
     *
     * @param computeCapability such as 9.0
     * @param memory            bytes
     */
    public record Gpu(String name, String computeCapability, long memory) {
    }

    /** Asks the driver. */
    public static CudaDriver probe() {
        try (Arena arena = Arena.ofConfined()) {
            // The library stays loaded: it starts threads, which outlive an unloading.
            return new Calls(SymbolLookup.libraryLookup(LIBRARY, Arena.global()), arena).read();
        } catch (IllegalArgumentException e) {
            return none("no driver library " + LIBRARY);
        } catch (Throwable t) {
            return none("the driver library %s cannot be used: %s".formatted(LIBRARY, t.getMessage()));
        }
    }

    private static CudaDriver none(String problem) {
        return new CudaDriver(problem, "", List.of());
    }

    /** The driver's functions; each returns a CUresult, 0 for success. */
    private record Calls(SymbolLookup library, Arena arena) {

        CudaDriver read() throws Throwable {
            MemorySegment number = arena.allocate(ValueLayout.JAVA_LONG);
            int status = call("cuDriverGetVersion", number);
            int v = number.get(ValueLayout.JAVA_INT, 0);
            String version = status == 0 ? v / 1000 + "." + v % 1000 / 10 : "";
            status = call("cuInit", 0);
            if (status == 0) {
                status = call("cuDeviceGetCount", number);
            }
            if (status != 0) {
                return new CudaDriver("the driver finds no usable GPU (%s)".formatted(error(status)), version, List.of());
            }
            int count = number.get(ValueLayout.JAVA_INT, 0);
            List<Gpu> gpus = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                gpus.add(gpu(i));
            }
            return new CudaDriver(count == 0 ? "the driver finds no GPU" : "", version, gpus);
        }

        private Gpu gpu(int index) throws Throwable {
            MemorySegment number = arena.allocate(ValueLayout.JAVA_LONG);
            check("cuDeviceGet", number, index);
            int device = number.get(ValueLayout.JAVA_INT, 0);
            MemorySegment name = arena.allocate(NAME_BYTES);
            check("cuDeviceGetName", name, NAME_BYTES, device);
            check("cuDeviceGetAttribute", number, COMPUTE_CAPABILITY_MAJOR, device);
            int major = number.get(ValueLayout.JAVA_INT, 0);
            check("cuDeviceGetAttribute", number, COMPUTE_CAPABILITY_MINOR, device);
            int minor = number.get(ValueLayout.JAVA_INT, 0);
            check("cuDeviceTotalMem_v2", number, device);
            return new Gpu(name.getString(0), major + "." + minor, number.get(ValueLayout.JAVA_LONG, 0));
        }

        private void check(String function, Object... arguments) throws Throwable {
            int status = call(function, arguments);
            if (status != 0) {
                throw new IllegalStateException(function + ": " + error(status));
            }
        }

        /** Calls a function of pointers and ints. */
        private int call(String function, Object... arguments) throws Throwable {
            MemoryLayout[] types = new MemoryLayout[arguments.length];
            for (int i = 0; i < types.length; i++) {
                types[i] = arguments[i] instanceof MemorySegment ? ValueLayout.ADDRESS : ValueLayout.JAVA_INT;
            }
            return (int) Linker.nativeLinker().downcallHandle(library.findOrThrow(function),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, types)).invokeWithArguments(arguments);
        }

        /** The driver's own name for a CUresult. */
        private String error(int status) throws Throwable {
            MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
            if (call("cuGetErrorName", status, pointer) != 0) {
                return "error " + status;
            }
            return pointer.get(ValueLayout.ADDRESS, 0).reinterpret(NAME_BYTES).getString(0);
        }
    }
}
