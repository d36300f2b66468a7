package io.firn.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What NVIDIA's driver says of the GPUs here, asked without any of CUDA's own libraries. Never fails: where there is no
 * driver or no GPU, {@code problem} says why.
 *
 * @param problem   why no GPU can be used; empty where one can
 * @param installed whether there is a driver library, of use or not
 * @param version   of CUDA that the driver supports, such as 13.0; empty without a driver
 */
public record CudaDriver(String problem, boolean installed, String version, List<Gpu> gpus) {
    static final String LIBRARY = "libcuda.so.1";
    private static final String MISSING = "no driver library %s: a GPU needs NVIDIA's driver, R580 or later".formatted(LIBRARY);
    private static final int NAME_BYTES = 256;

    public CudaDriver {
        gpus = List.copyOf(gpus);
    }

    /**
     * A GPU.
     *
     * @param computeCapability such as 9.0
     * @param memory            bytes
     */
    public record Gpu(String name, String computeCapability, long memory, GpuProperties properties) {
    }

    /** Asks the driver. */
    public static CudaDriver probe() {
        SymbolLookup library;
        try {
            // The library stays loaded: it starts threads, which outlive an unloading.
            library = SymbolLookup.libraryLookup(LIBRARY, Arena.global());
        } catch (IllegalArgumentException e) {
            return new CudaDriver(MISSING, false, "", List.of());
        }
        return library.find(DriverStub.MARK).isPresent() ? new CudaDriver(MISSING, false, "", List.of()) : of(library);
    }

    /** What this driver library says. */
    static CudaDriver of(SymbolLookup library) {
        try (Arena arena = Arena.ofConfined()) {
            return new Driver(new Calls(library, arena)).read();
        } catch (Throwable t) {
            return new CudaDriver("the driver library %s cannot be used: %s".formatted(LIBRARY, t.getMessage()), true, "",
                    List.of());
        }
    }

    /** The driver's functions; each returns a CUresult, 0 for success. */
    private record Driver(Calls calls) {

        CudaDriver read() throws Throwable {
            MemorySegment number = calls.arena().allocate(ValueLayout.JAVA_LONG);
            int status = calls.status("cuDriverGetVersion", number);
            int driver = status == 0 ? number.get(ValueLayout.JAVA_INT, 0) : 0;
            String version = status == 0 ? driver / 1000 + "." + driver % 1000 / 10 : "";
            status = calls.status("cuInit", 0);
            if (status == 0) {
                status = calls.status("cuDeviceGetCount", number);
            }
            if (status != 0) {
                return new CudaDriver("the driver finds no usable GPU (%s)".formatted(error(status)), true, version,
                        List.of());
            }
            int count = number.get(ValueLayout.JAVA_INT, 0);
            List<Gpu> gpus = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                gpus.add(gpu(i, driver));
            }
            return new CudaDriver(count == 0 ? "the driver finds no GPU" : "", true, version, gpus);
        }

        private Gpu gpu(int index, int driver) throws Throwable {
            MemorySegment number = calls.arena().allocate(ValueLayout.JAVA_LONG);
            check("cuDeviceGet", number, index);
            int device = number.get(ValueLayout.JAVA_INT, 0);
            MemorySegment text = calls.arena().allocate(NAME_BYTES);
            check("cuDeviceGetName", text, NAME_BYTES, device);
            String name = text.getString(0);
            check("cuDeviceTotalMem_v2", number, device);
            long memory = number.get(ValueLayout.JAVA_LONG, 0);
            Map<Attribute, Integer> a = new EnumMap<>(Attribute.class);
            for (Attribute attribute : Attribute.values()) {
                check("cuDeviceGetAttribute", number, attribute.number, device);
                a.put(attribute, number.get(ValueLayout.JAVA_INT, 0));
            }
            GpuProperties p = new GpuProperties(
                    List.of(a.get(Attribute.GRID_X), a.get(Attribute.GRID_Y), a.get(Attribute.GRID_Z)),
                    List.of(a.get(Attribute.BLOCK_X), a.get(Attribute.BLOCK_Y), a.get(Attribute.BLOCK_Z)),
                    a.get(Attribute.REGISTERS_PER_BLOCK), a.get(Attribute.MULTIPROCESSORS), 0, a.get(Attribute.WARP),
                    a.get(Attribute.SHARED_PER_BLOCK), a.get(Attribute.SHARED_PER_BLOCK_OPTIN),
                    a.get(Attribute.SHARED_RESERVED), a.get(Attribute.REGISTERS_PER_SM), a.get(Attribute.BLOCKS_PER_SM),
                    a.get(Attribute.THREADS_PER_BLOCK), a.get(Attribute.THREADS_PER_SM), a.get(Attribute.PCI_DEVICE),
                    a.get(Attribute.TCC), a.get(Attribute.COOPERATIVE), memory, a.get(Attribute.CLOCK),
                    a.get(Attribute.MEMORY_CLOCK), a.get(Attribute.L2), index,
                    100 * a.get(Attribute.CAPABILITY_MAJOR) + 10 * a.get(Attribute.CAPABILITY_MINOR), driver, name);
            return new Gpu(name, p.computeCapability(), memory, p);
        }

        private void check(String function, Object... arguments) throws Throwable {
            int status = calls.status(function, arguments);
            if (status != 0) {
                throw new IllegalStateException(function + ": " + error(status));
            }
        }

        /** The driver's own name for a CUresult. */
        private String error(int status) throws Throwable {
            MemorySegment pointer = calls.arena().allocate(ValueLayout.ADDRESS);
            if (calls.status("cuGetErrorName", status, pointer) != 0) {
                return "error " + status;
            }
            return pointer.get(ValueLayout.ADDRESS, 0).reinterpret(NAME_BYTES).getString(0);
        }
    }

    /** CUdevice_attribute of cuda.h, as far as it is asked for. */
    private enum Attribute {
        THREADS_PER_BLOCK(1), BLOCK_X(2), BLOCK_Y(3), BLOCK_Z(4), GRID_X(5), GRID_Y(6), GRID_Z(7), SHARED_PER_BLOCK(8),
        WARP(10), REGISTERS_PER_BLOCK(12), CLOCK(13), MULTIPROCESSORS(16), PCI_DEVICE(34), TCC(35), MEMORY_CLOCK(36), L2(38),
        THREADS_PER_SM(39), CAPABILITY_MAJOR(75), CAPABILITY_MINOR(76), REGISTERS_PER_SM(82), COOPERATIVE(95),
        SHARED_PER_BLOCK_OPTIN(97), BLOCKS_PER_SM(106), SHARED_RESERVED(111);

        private final int number;

        Attribute(int number) {
            this.number = number;
        }
    }
}
