package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.Session;
import io.firn.cluster.Limits;
import io.firn.cluster.Teams;
import io.firn.error.UserError;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.Ranks;
import io.firn.plan.TuningTable;
import io.firn.train.Team;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Two ranks on simulated GPUs, of which one fails at any call that exchanges, hangs, or is lost: both end, in time and with
 * the same reason, and leave nothing on their devices. Slow: it takes a minute.
 */
@Tag("slow")
class RankFailuresTest {
    private static final long CAPACITY = 2L << 30;
    private static final Limits LIMITS = new Limits(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofSeconds(60));
    private static final Limits IMPATIENT = new Limits(Duration.ofSeconds(20), Duration.ofSeconds(1), Duration.ofSeconds(1));

    @TempDir
    Path folder;

    private final SimulatedWire wire = new SimulatedWire();
    private final List<Simulator> devices = new ArrayList<>();
    private final CountDownLatch firstEnded = new CountDownLatch(1);

    RankFailuresTest() {
        for (int rank = 0; rank < 2; rank++) {
            devices.add(new Simulator(SimulatedGpu.h100(), CAPACITY, rank, false, wire));
        }
    }

    private CudaBackend backend(int rank) {
        return SimulatedGpu.backend(devices.get(rank), folder.resolve("gpu" + rank));
    }

    private static Program program(CudaBackend gpu) {
        Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(2).withResolution(8).withWidth(0.25)
                .withDepth(0.3));
        var training = new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1), 0).on(new Ranks(2, true, 10_000));
        return gpu.plan(TuningTable.EMPTY, List.of(
                new PlanRequest("train", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16, Optional.of(training)),
                new PlanRequest("evaluate", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16, Optional.empty())));
    }

    /** What a rank does beside its steps. */
    @FunctionalInterface
    private interface Beside {
        void step(int rank, int step) throws InterruptedException;
    }

    private List<Future<Boolean>> run(Limits limits, Beside beside) throws Exception {
        return Teams.run(2, limits, team -> {
            try (CudaBackend gpu = backend(team.rank())) {
                gpu.checkRanks();
                step(gpu, team, beside);
                return true;
            } catch (UserError e) {
                team.leave(e.kind(), e.getMessage());
                throw e;
            } finally {
                if (team.rank() == 0) {
                    firstEnded.countDown();
                }
            }
        });
    }

    private static void step(CudaBackend gpu, Team team, Beside beside) throws InterruptedException {
        Program program = program(gpu);
        try (Session session = gpu.load(program, team.collectives())) {
            team.busy(false);
            try {
                Plan train = program.plan("train");
                float[] loss = new float[1];
                for (int i = 0; i < 3; i++) {
                    beside.step(team.rank(), i);
                    train.graph().inputs().forEach(v -> session.input(train, v.name()).fill((byte) 1));
                    session.begin(train, "loss").copy(loss);
                }
                session.step(program.plan("evaluate"));
            } catch (UserError e) {
                // As a training does: the others are told before what they exchange with is freed.
                team.leave(e.kind(), e.getMessage());
                throw e;
            }
        }
    }

    private static Throwable failure(Future<Boolean> rank) throws InterruptedException {
        try {
            rank.get();
            return null;
        } catch (ExecutionException e) {
            return e.getCause();
        }
    }

    private void assertNothingIsLeft() {
        devices.forEach(d -> {
            assertThat(d.leaked()).isEmpty();
            assertThat(d.isClosed()).isTrue();
        });
    }

    @Test
    void collectivesAreRecordedOnAStreamOfTheirOwn() throws Exception {
        for (Future<Boolean> rank : run(LIMITS, (_, _) -> { })) {
            assertThat(rank.get()).isTrue();
        }
        assertNothingIsLeft();
        devices.forEach(d -> assertThat(d.recordedStreams()).isEqualTo(2));
    }

    @ParameterizedTest
    @CsvSource({"ncclGetVersion,1,0", "ncclGetUniqueId,0,0", "ncclCommInitRankConfig,0,0", "ncclCommInitRankConfig,1,0",
        "ncclCommGetAsyncError,1,1", "ncclCommGetAsyncError,0,9", "ncclGroupStart,1,0", "ncclAllReduce,0,3", "ncclGroupEnd,1,1",
        "ncclAllReduce,1,99", "cuStreamWaitEvent,1,2", "cuEventRecord,0,3", "cuStreamEndCapture,1,0", "cuGraphLaunch,0,1",
        "cuStreamQuery,1,0", "cuStreamQuery,0,30", "cuEventQuery,0,1", "ncclCommFinalize,0,0", "release of Recording,1,0"})
    void aCallThatFails(String name, int rank, int number) throws Exception {
        devices.get(rank).failCall(name, number);
        List<Future<Boolean>> ranks = run(LIMITS, (_, _) -> { });
        assertThat(failure(ranks.get(rank))).isInstanceOf(UserError.class).hasMessageContaining(name)
                .hasMessageContaining("failed on demand");
        assertThat(failure(ranks.get(1 - rank))).isInstanceOf(UserError.class).hasMessageContaining("failed on demand")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("plan train, launch relu"));
        assertThat(devices.get(1 - rank).leaked()).isEmpty();
        // What could not be given back is all that is left, and the communicator with a recording.
        assertThat(devices.get(rank).leaked()).hasSizeLessThan(name.endsWith("Recording") ? 3 : 2);
    }

    /** Its end is known to all by then. */
    @ParameterizedTest
    @CsvSource({"release of Communicator", "ncclCommAbort"})
    void givingBackThatFails(String name) throws Exception {
        devices.get(1).failCall(name, 0);
        boolean isAbort = name.equals("ncclCommAbort");
        List<Future<Boolean>> ranks = run(LIMITS, (rank, step) -> {
            if (isAbort && rank == 1 && step == 1) {
                throw UserError.other("no more data");
            }
        });
        assertThat(failure(ranks.get(1))).isInstanceOf(UserError.class).hasStackTraceContaining(name + ": CUDA_ERROR_SIMULATED");
        failure(ranks.get(0));
        assertThat(devices.get(0).leaked()).isEmpty();
        assertThat(devices.get(1).leaked()).hasSize(1);
    }

    @Test
    void aRankThatHangsIsNamed() throws Exception {
        List<Future<Boolean>> ranks = run(IMPATIENT, (rank, step) -> {
            if (rank == 1 && step == 2) {
                firstEnded.await();
            }
        });
        assertThat(failure(ranks.get(0))).isInstanceOf(UserError.class).hasMessageStartingWith("rank 1 (")
                .hasMessageContaining("hangs: it has not come to exchange");
        assertThat(failure(ranks.get(1))).isInstanceOf(UserError.class).hasMessageContaining("hangs");
        assertNothingIsLeft();
    }

    @Test
    void whatNcclSaysOfOthersIsTold() throws Exception {
        List<Future<Boolean>> ranks = run(IMPATIENT, (rank, step) -> {
            if (rank == 1 && step == 1) {
                wire.fail("remote process exited or there was a network error");
                firstEnded.await();
            }
        });
        assertThat(failure(ranks.get(0))).isInstanceOf(UserError.class).satisfies(e -> assertThat(e.getMessage()).containsAnyOf(
                "rank 0 lost its connection: NCCL: remote process exited or there was a network error", "hangs"));
        failure(ranks.get(1));
        assertNothingIsLeft();
    }

    /** The simulator minds what CUDA does: a recording whose streams do not come back is none. */
    @Test
    void streamsThatDoNotComeBackAreRefused() {
        Simulator d = devices.getFirst();
        try (Owned owned = new Owned(d)) {
            var a = owned.add(d.stream());
            var b = owned.add(d.stream());
            var there = owned.add(d.event());
            d.record(a);
            d.mark(there, a);
            d.follow(b, there);
            assertThatThrownBy(() -> d.recorded(a)).hasMessageContaining("CAPTURE_UNJOINED");
        }
    }
}
