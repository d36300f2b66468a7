package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.Session;
import io.firn.error.UserError;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever call to the device fails: it is told, with where and what to do, and nothing is left on the device. */
class DeviceFailuresTest {
    private static final long CAPACITY = 1L << 30;

    @TempDir
    Path folder;

    private static Program program(CudaBackend gpu) {
        Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(2).withResolution(8).withWidth(0.25)
                .withDepth(0.3));
        var training = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1), 0);
        return gpu.plan(TuningTable.EMPTY, List.of(
                new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16, Optional.of(training)),
                new PlanRequest("evaluate", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16, Optional.empty())));
    }

    /** All that a session does. */
    private static void use(CudaBackend gpu, Program program) {
        try (Session session = gpu.load(program)) {
            float[] loss = new float[1];
            Session.Awaited[] before = new Session.Awaited[1];
            for (int i = 0; i < 3; i++) {
                for (Plan plan : program.plans()) {
                    plan.graph().inputs().forEach(v -> session.input(plan, v.name()).fill((byte) 1));
                    Session.Awaited now = session.begin(plan, "loss");
                    if (before[0] != null) {
                        before[0].copy(loss);
                    }
                    before[0] = now;
                }
            }
            before[0].copy(loss);
            Plan train = program.plans().getFirst();
            session.step(train);
            session.output(train, "loss", loss);
            session.run(train, train.launches().getFirst());
            session.read(train, train.launches().getFirst(), true, 0);
            float[] bias = new float[10];
            session.writeState("fc.bias", bias);
            session.readState("fc.bias", bias);
        }
    }

    @Test
    void someCalls() {
        fail(43);
    }

    @Test
    @Tag("slow")
    void everyCall() {
        fail(1);
    }

    private void fail(int step) {
        Simulator counting = SimulatedGpu.idle(CAPACITY, 1);
        CudaBackend gpu = SimulatedGpu.backend(counting, folder);
        Program program = program(gpu);
        counting.failCall(-1);
        use(gpu, program);
        int calls = counting.calls();
        assertThat(counting.leaked()).isEmpty();
        assertThat(calls).isGreaterThan(500);
        Set<String> launches = new HashSet<>();
        for (int i = 0; i < calls; i += step) {
            Simulator device = SimulatedGpu.idle(CAPACITY, i);
            CudaBackend failing = SimulatedGpu.backend(device, folder);
            device.failCall(i);
            assertThatThrownBy(() -> use(failing, program)).as("call " + i).isInstanceOfSatisfying(UserError.class, e -> {
                assertThat(e.kind()).isEqualTo(UserError.Kind.OTHER);
                assertThat(e).hasMessageContaining("CUDA_ERROR_SIMULATED, failed on demand");
                if (e.getMessage().contains("cuLaunchKernel") || e.getMessage().contains("cudnnBackendExecute")) {
                    assertThat(e).hasMessageContaining("launch ");
                    launches.add(e.getMessage().split("[ ,]+", 5)[4].split(" ")[0]);
                }
            });
            // What could not be given back is all that is left.
            assertThat(device.leaked()).as("after call %d", i).hasSizeLessThan(2);
            failing.close();
            assertThat(device.isClosed()).isTrue();
        }
        assertThat(launches).hasSizeGreaterThan(step == 1 ? 20 : 1);
    }

    @Test
    void workThatFailsOnTheDevice() {
        Simulator counting = SimulatedGpu.idle(CAPACITY, 1);
        Program program = program(SimulatedGpu.backend(counting, folder));
        counting.failWork(-1);
        use(SimulatedGpu.backend(counting, folder), program);
        int works = counting.executed();
        for (int i = 0; i < works; i += 301) {
            Simulator device = SimulatedGpu.idle(CAPACITY, i);
            device.failWork(i);
            CudaBackend failing = SimulatedGpu.backend(device, folder);
            assertThatThrownBy(() -> use(failing, program)).as("work %d of %d", i, works).isInstanceOf(UserError.class)
                    .hasMessageContaining("CUDA_ERROR_SIMULATED");
            assertThat(device.leaked()).isEmpty();
        }
    }

    @Test
    void tooLittleMemoryIsToldBeforeTheFirstStep() {
        Program program = program(SimulatedGpu.backend(SimulatedGpu.idle(CAPACITY, 1), folder));
        long needed = CudaSession.bytes(program);
        CudaBackend small = SimulatedGpu.backend(SimulatedGpu.idle(CudaBackend.RESERVED + needed - 1, 1), folder);
        assertThat(small.freeMemory()).hasValue(needed - 1);
        assertThatThrownBy(() -> small.load(program)).isInstanceOfSatisfying(UserError.class,
                e -> assertThat(e.kind()).isEqualTo(UserError.Kind.MEMORY)).hasMessageContaining("lower --batch");
    }

    @Test
    void whatASessionTakesIsWhatWasSaid() {
        Simulator device = SimulatedGpu.idle(CAPACITY, 1);
        CudaBackend gpu = SimulatedGpu.backend(device, folder);
        Program program = program(gpu);
        try (Session session = gpu.load(program)) {
            assertThat(session.program()).isSameAs(program);
            assertThat(device.allocated()).isBetween((long) (0.99 * gpu.memory(program)), gpu.memory(program));
        }
        assertThat(device.allocated()).isZero();
    }
}
