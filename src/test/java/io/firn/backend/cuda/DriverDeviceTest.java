package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.cuda.Device.Code;
import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.Device.Recording;
import io.firn.backend.cuda.Device.Stream;
import io.firn.backend.cuda.kernels.KernelCall;
import io.firn.error.UserError;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each call reaches a driver with the arguments that cuda.h wants: the driver is one of ours, compiled with that header. */
class DriverDeviceTest {
    private static final KernelCall.Grid GRID = new KernelCall.Grid(1, 2, 3, 4, 5, 1024);

    @TempDir
    static Path folder;

    private static SymbolLookup library;

    @BeforeAll
    static void compile() throws IOException, InterruptedException {
        library = CudaFixture.library("fake_driver.cpp", folder, CudaFixture.headers());
    }

    private static int live() throws Throwable {
        return (int) Linker.nativeLinker().downcallHandle(library.findOrThrow("fake_live"),
                FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
    }

    private static DriverDevice open() {
        return open(1);
    }

    private static DriverDevice open(int index) {
        return new DriverDevice(library, index, SimulatedGpu.h100(), () -> {
            throw new AssertionError("cuDNN is not asked for");
        }, () -> {
            throw new AssertionError("NCCL is not asked for");
        }, Nvtx.off());
    }

    @Test
    void twoDevicesTakeTurnsInOneThread() throws Throwable {
        try (DriverDevice first = open(0); DriverDevice second = open(1)) {
            for (int i = 0; i < 2; i++) {
                assertThat(first.freeMemory()).isEqualTo(4L << 30);
                assertThat(second.freeMemory()).isEqualTo(5L << 30);
            }
        }
        assertThat(live()).isZero();
    }

    @Test
    void everyCallArrivesAndNothingIsLeft() throws Throwable {
        try (DriverDevice device = open(); Arena arena = Arena.ofConfined()) {
            assertThat(device.freeMemory()).isEqualTo(5L << 30);
            try (Owned owned = new Owned(device)) {
                Stream stream = owned.add(device.stream());
                Event event = owned.add(device.event());
                Memory memory = owned.add(device.allocate(32));
                Pinned host = owned.add(device.pin(16));
                Code add = owned.add(device.code("add", "cubin".getBytes(StandardCharsets.UTF_8)));
                for (int i = 0; i < 4; i++) {
                    host.host().setAtIndex(ValueLayout.JAVA_INT, i, 10 * i);
                }
                device.fill(memory.address(), (byte) 1, 32, stream);
                device.upload(memory.address(), host.host(), stream);
                MemorySegment block = arena.allocate(16, 8);
                block.set(ValueLayout.JAVA_LONG, 0, memory.address());
                block.set(ValueLayout.JAVA_INT, 8, 7);
                device.launch(add, GRID, block, stream);
                device.record(stream);
                device.launch(add, GRID, block, stream);
                device.copy(memory.address() + 16, memory.address(), 16, stream);
                Recording twice = owned.add(device.recorded(stream));
                device.download(host.host(), memory.address() + 16, stream);
                assertThat(host.host().getAtIndex(ValueLayout.JAVA_INT, 0)).as("only recorded").isEqualTo(0x01010101);
                device.replay(twice, stream);
                device.replay(twice, stream);
                device.download(host.host(), memory.address() + 16, stream);
                device.mark(event, stream);
                device.follow(stream, event);
                device.await(event);
                device.await(stream);
                assertThat(host.host().toArray(ValueLayout.JAVA_INT)).containsExactly(21, 31, 41, 51);
                assertThat(device.milliseconds(event, event)).isEqualTo(2.5);
                device.record(stream);
                device.forget(stream);
            }
        }
        assertThat(live()).isZero();
    }

    /** What is asked of the driver by number has cuda.h's number, and becomes what cuDNN takes. */
    @Test
    void aGpusPropertiesAreRead() {
        CudaDriver driver = CudaDriver.of(library);
        assertThat(driver.problem()).isEmpty();
        assertThat(driver.version()).isEqualTo("13.0");
        assertThat(driver.gpus()).hasSize(2);
        assertThat(driver.gpus().getFirst().properties()).isEqualTo(SimulatedGpu.h100());
        assertThat(driver.gpus().getFirst().computeCapability()).isEqualTo("9.0");
        assertThat(driver.gpus().getLast().properties().multiProcessorCount()).isEqualTo(1);
        assertThat(driver.gpus().getLast().properties().cudaDeviceId()).isEqualTo(1);
    }

    @Test
    void failuresNameTheCallInTheDriversWords() throws Throwable {
        try (DriverDevice device = open()) {
            assertThatThrownBy(() -> device.allocate(6L << 30)).isInstanceOfSatisfying(UserError.class,
                    e -> assertThat(e.kind()).isEqualTo(UserError.Kind.MEMORY))
                    .hasMessage("cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY, out of memory");
            assertThatThrownBy(() -> device.code("other", "cubin".getBytes(StandardCharsets.UTF_8)))
                    .isInstanceOfSatisfying(UserError.class, e -> assertThat(e.kind()).isEqualTo(UserError.Kind.OTHER))
                    .hasMessage("cuModuleGetFunction: CUDA_ERROR_OTHER, something else");
        }
        assertThat(live()).as("the module was unloaded").isZero();
    }
}
