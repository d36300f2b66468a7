package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.cuda.Device.Communicator;
import io.firn.backend.cuda.Device.Event;
import io.firn.backend.cuda.Device.Memory;
import io.firn.backend.cuda.Device.Pinned;
import io.firn.backend.cuda.Device.Reduced;
import io.firn.backend.cuda.Device.Stream;
import io.firn.error.UserError;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each call reaches NCCL with the arguments that nccl.h wants: the library is one of ours, compiled with that header if found. */
class NcclTest {
    @TempDir
    static Path folder;

    private static SymbolLookup driver;
    private static SymbolLookup nccl;

    @BeforeAll
    static void compile() throws Exception {
        Path cuda = CudaFixture.headers();
        driver = CudaFixture.library("fake_driver.cpp", folder, cuda);
        nccl = CudaFixture.library("fake_nccl.cpp", folder, cuda, CudaLibraries.find().entry(CudaLibrary.NCCL).path()
                .map(p -> p.resolveSibling("../include").normalize()).orElse(cuda));
    }

    private static int fake(String name) throws Throwable {
        return (int) Linker.nativeLinker().downcallHandle(nccl.findOrThrow(name), FunctionDescriptor.of(ValueLayout.JAVA_INT))
                .invokeExact();
    }

    private static void fail(int status) throws Throwable {
        Linker.nativeLinker().downcallHandle(nccl.findOrThrow("fake_nccl_fail"), FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT))
                .invokeExact(status);
    }

    private static DriverDevice open() {
        return new DriverDevice(driver, 1, SimulatedGpu.h100(), () -> {
            throw new AssertionError("cuDNN is not asked for");
        }, () -> new Nccl(nccl), Nvtx.off());
    }

    private static void ready(DriverDevice device, Communicator c) {
        int asked = 1;
        while (!device.isReady(c)) {
            asked++;
        }
        assertThat(asked).as("it was in progress").isEqualTo(3);
    }

    @Test
    void aCommunicatorsLife() throws Throwable {
        try (DriverDevice device = open(); Owned owned = new Owned(device)) {
            device.prepareRanks();
            Stream stream = owned.add(device.stream());
            Memory memory = owned.add(device.allocate(32));
            Pinned host = owned.add(device.pin(32));
            for (int i = 0; i < 8; i++) {
                host.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
            }
            device.upload(memory.address(), host.host(), stream);
            byte[] id = device.communicatorId();
            assertThat(id).hasSize(128).startsWith(0, 3, 6);
            Communicator c = device.join(id, 1, 2);
            ready(device, c);
            device.allReduce(c, List.of(new Reduced(memory.address(), memory.address(), 2),
                    new Reduced(memory.address() + 8, memory.address() + 16, 1)), false, stream);
            ready(device, c);
            device.allReduce(c, List.of(new Reduced(memory.address(), memory.address() + 12, 1)), true, stream);
            ready(device, c);
            device.download(host.host(), memory.address(), stream);
            assertThat(host.host().toArray(ValueLayout.JAVA_FLOAT)).containsExactly(0, 2, 2, 0, 4, 5, 6, 7);
            assertThat(fake("fake_nccl_launches")).isEqualTo(2);
            device.finish(c);
            ready(device, c);
            device.release(c);
            assertThat(fake("fake_nccl_live")).isZero();
            Communicator lost = device.join(id, 1, 2);
            device.abort(lost);
            assertThat(fake("fake_nccl_live")).isZero();
        }
    }

    @Test
    void failuresAreInNcclsWords() throws Throwable {
        try (DriverDevice device = open(); Owned owned = new Owned(device)) {
            Stream stream = owned.add(device.stream());
            byte[] id = device.communicatorId();
            assertThatThrownBy(() -> device.join(id, 5, 2)).isInstanceOf(UserError.class)
                    .hasMessage("ncclCommInitRankConfig: invalid argument");
            Communicator c = device.join(id, 1, 2);
            ready(device, c);
            assertThatThrownBy(() -> device.allReduce(c, List.of(new Reduced(8, 8, 0)), true, stream))
                    .isInstanceOf(UserError.class).hasMessage("ncclAllReduce: invalid argument");
            assertThat(fake("fake_nccl_grouped")).as("no group is left open").isZero();
            fail(6);
            assertThatThrownBy(() -> device.isReady(c)).isInstanceOf(UserError.class)
                    .hasMessage("NCCL: remote process exited or there was a network error (NET/Socket : peer closed; connection)");
            fail(0);
            device.abort(c);
        }
    }

    /** What waits can be ended by who looks around meanwhile. */
    @Test
    void waitingLooksAround() {
        try (DriverDevice device = open(); Owned owned = new Owned(device)) {
            Stream stream = owned.add(device.stream());
            Event event = owned.add(device.event());
            device.whileWaiting(() -> {
                throw UserError.other("rank 1 is gone");
            });
            device.await(stream);
            assertThatThrownBy(() -> device.await(event)).hasMessage("rank 1 is gone");
            device.whileWaiting(null);
            device.await(event);
        }
    }

    @Test
    void aLibraryThatLacksAFunctionIsRefused() {
        assertThatThrownBy(() -> new Nccl(driver)).isInstanceOf(UserError.class).hasMessageStartingWith("NCCL lacks nccl");
    }

    /** NVIDIA's own: its version was asked before, and it has all that is called. */
    @Test
    void theRealLibraryHasThem() {
        String problem = CudaLibraries.find().problem(EnumSet.of(CudaLibrary.NCCL));
        if (!problem.isEmpty()) {
            System.out.println("skipped, NCCL is not found: " + problem);
        }
        Assumptions.assumeTrue(problem.isEmpty(), problem);
        Nccl real = new Nccl(SymbolLookup.libraryLookup(CudaLibraries.find().entry(CudaLibrary.NCCL).path().orElseThrow(),
                Arena.global()));
        assertThatThrownBy(() -> real.isReady(MemorySegment.NULL)).isInstanceOf(UserError.class)
                .hasMessageStartingWith("ncclCommGetAsyncError: invalid argument");
    }
}
