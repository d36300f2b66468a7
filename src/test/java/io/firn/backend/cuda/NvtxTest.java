package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.Session;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What profilers are told: names of plans, phases and launches, each left where it was entered. */
class NvtxTest {
    @TempDir
    Path folder;

    @Test
    void everyLaunchIsNamedWhereItIsIssued() {
        Simulator device = SimulatedGpu.idle(1L << 30, 1);
        try (CudaBackend gpu = SimulatedGpu.backend(device, folder)) {
            Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(2).withResolution(8).withWidth(0.25)
                    .withDepth(0.3));
            var training = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1), 0);
            Program program = gpu.plan(TuningTable.EMPTY, List.of(
                    new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16,
                            Optional.of(training)),
                    new PlanRequest("evaluate", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16,
                            Optional.empty())));
            Plan train = program.plan("train");
            Plan evaluate = program.plan("evaluate");
            assertThat(evaluate.prepare()).isNotEmpty();
            try (Session session = gpu.load(program)) {
                for (Launch l : train.launches()) {
                    assertThat(device.ranges()).containsEntry("load train > " + l.name(), 1)
                            .containsEntry("record train > %s > %s".formatted(l.phase().label(), l.name()), 1);
                }
                session.step(train);
                session.step(train);
                session.step(evaluate);
                session.step(train, (_, _, _) -> { });
            }
            assertThat(device.ranges()).containsEntry("train", 3).containsEntry("evaluate", 1);
            train.launches().forEach(l -> assertThat(device.ranges())
                    .containsEntry("train > %s > %s".formatted(l.phase().label(), l.name()), 1));
            evaluate.prepare().forEach(l -> assertThat(device.ranges()).containsEntry("evaluate > " + l.name(), 1));
        }
    }

    /** The real library hands names on to a profiler, which here is one of ours. */
    @Test
    void aProfilerSeesThem() throws Throwable {
        Path nvtx = CudaLibraries.find().entry(CudaLibrary.NVTX).path().orElse(null);
        Path headers = nvtx == null ? folder : nvtx.toRealPath().getParent().resolveSibling("include");
        String lacking = nvtx == null ? "NVTX is not found" : !Files.isDirectory(headers.resolve("nvtx3"))
                ? "NVTX's headers are not found" : "";
        if (!lacking.isEmpty()) {
            System.out.println("skipped, no profiler can be made here: " + lacking);
        }
        Assumptions.assumeTrue(lacking.isEmpty(), lacking);
        SymbolLookup profiler = CudaFixture.library("fake_profiler.cpp", folder, headers);
        Linker linker = Linker.nativeLinker();
        try (Arena arena = Arena.ofConfined()) {
            int set = (int) linker.downcallHandle(linker.defaultLookup().findOrThrow("setenv"), FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT)).invokeExact(
                    arena.allocateFrom("NVTX_INJECTION64_PATH"), arena.allocateFrom(folder.resolve("fake_profiler.so").toString()), 1);
            assertThat(set).isZero();
        }
        Nvtx ranges = Nvtx.of(nvtx);
        ranges.push("train");
        ranges.push("conv1");
        ranges.pop();
        ranges.push("conv1");
        ranges.pop();
        ranges.pop();
        MemorySegment seen = (MemorySegment) linker.downcallHandle(profiler.findOrThrow("fake_seen"),
                FunctionDescriptor.of(ValueLayout.ADDRESS)).invokeExact();
        assertThat(seen.reinterpret(256).getString(0)).isEqualTo("train( conv1() conv1())");
    }
}
