package io.firn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.firn.backend.Backend;
import io.firn.backend.Session;
import io.firn.backend.cpu.CpuBackend;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Layout;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import io.firn.plan.Program;
import io.firn.plan.TuningTable;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The CPU's plans, launch by launch against the oracle: usual nets, and those whose shapes are ragged. */
class SelftestTest {
    private static final int THREADS = 2;
    private static final Backend CPU = CpuBackend.open(THREADS);
    private static final ModelOptions O = ModelOptions.defaults();
    private static final TuningTable NHWC = TuningTable.EMPTY.with(Map.of(TuningTable.LAYOUT, Layout.NHWC.label()));

    @AfterAll
    static void close() {
        CPU.close();
    }

    private static Stream<Arguments> inBothPrecisions(List<Selftest.Net> nets) {
        return nets.stream().flatMap(n -> Stream.of(Precision.FP32, Precision.BF16).map(p -> Arguments.of(n, p)));
    }

    static Stream<Arguments> usualAndRagged() {
        return inBothPrecisions(List.of(
                new Selftest.Net("resnet20", O.withBatch(4)),
                new Selftest.Net("efficientnet_b0", O.withBatch(4).withResolution(32)),
                new Selftest.Net("resnet20", O.withBatch(1).withChannels(1).withResolution(28)),
                new Selftest.Net("plain20", O.withBatch(5).withChannels(1).withResolution(28).withClasses(1)),
                new Selftest.Net("resnext50_32x4d", O.withBatch(3).withResolution(33).withDepth(0.1).withClasses(7)),
                new Selftest.Net("efficientnet_b0", O.withBatch(3).withResolution(33).withWidth(0.35).withDepth(0.6), NHWC)));
    }

    static Stream<Arguments> more() {
        return inBothPrecisions(List.of(
                new Selftest.Net("resnet32", O.withBatch(3).withResolution(29).withClasses(7).withWidth(1.3)),
                new Selftest.Net("plain34", O.withBatch(2).withResolution(64).withClasses(7).withDepth(0.3)),
                new Selftest.Net("plain56", O.withBatch(2)),
                new Selftest.Net("resnext50_32x4d", O.withBatch(2).withResolution(33)),
                new Selftest.Net("resnext101_32x8d", O.withBatch(2).withResolution(40).withDepth(0.1).withClasses(10)),
                new Selftest.Net("wide_resnet50_2", O.withBatch(3).withResolution(40).withDepth(0.1).withClasses(10)),
                new Selftest.Net("resnet50", O.withBatch(2).withResolution(65).withWidth(0.3).withClasses(7)),
                new Selftest.Net("resnet34", O.withBatch(1).withResolution(96).withChannels(1).withDepth(0.3)),
                new Selftest.Net("resnet18", O.withBatch(3).withResolution(50).withClasses(7).withWidth(0.4), NHWC),
                new Selftest.Net("efficientnet_b0", O.withBatch(1).withChannels(1).withResolution(40)),
                new Selftest.Net("efficientnet_b0", O.withBatch(2).withResolution(48).withWidth(1.37).withDepth(0.4)),
                new Selftest.Net("efficientnet_b0", O.withBatch(5).withResolution(28).withChannels(1), NHWC),
                new Selftest.Net("efficientnet_v2_s", O.withBatch(3).withResolution(45).withWidth(0.5).withDepth(0.3), NHWC),
                new Selftest.Net("efficientnet_b4", O.withBatch(2).withResolution(33).withDepth(0.5)),
                new Selftest.Net("plain18", O.withBatch(2).withResolution(224).withDepth(0.5))));
    }

    @ParameterizedTest
    @MethodSource("usualAndRagged")
    void everyLaunchIsWithinItsTolerance(Selftest.Net net, Precision precision) {
        assumeTrue(precision == Precision.FP32 || precision == CPU.bestPrecision(), "the processor has no bf16");
        assertThat(Selftest.failures(CPU, net, precision, THREADS)).isEmpty();
    }

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("more")
    void everyLaunchOfMoreNetsIsWithinItsTolerance(Selftest.Net net, Precision precision) {
        everyLaunchIsWithinItsTolerance(net, precision);
    }

    @Tag("slow")
    @Test
    void theWholeSelftestPassesButForMemory() {
        SelftestReport report = Selftest.run(CPU, Selftest.Net.defaults(), List.of(Precision.FP32, CPU.bestPrecision()),
                THREADS, line -> { });
        // This process has been through other tests: what it grows by is not the plan's alone.
        assertThat(report.failures()).allMatch(f -> f.startsWith("memory:"));
        assertThat(report.launches()).isGreaterThan(3000);
        assertThat(report.trainings()).isNotEmpty().allMatch(SelftestReport.Training::repeats);
    }

    @Test
    void aTrainingLearnsAndRepeats() {
        SelftestReport.Training t = ShortTraining.run(CPU, Precision.FP32, 20);
        assertThat(t.lastLoss()).isLessThan(0.5 * t.firstLoss());
        assertThat(t.repeats()).isTrue();
    }

    @Test
    void oneWrongElementFailsItsLaunch() {
        var m = Models.build("resnet20", O.withBatch(2).withResolution(8));
        Program program = new Planner(CPU.target(), CPU.kernels(TuningTable.EMPTY)).plan(new PlanRequest("evaluate", m.graph(),
                m.preset().mean(), m.preset().std(), Precision.FP32, Optional.empty()));
        Plan plan = program.plans().getFirst();
        try (Session session = CPU.load(program)) {
            FixedInputs.fill(session, plan, 0, new SplittableRandom(1));
            var wrong = (Session) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Session.class},
                    (_, method, args) -> {
                        Object result = method.invoke(session, args);
                        if (method.getName().equals("read") && (boolean) args[2] && args[1] == plan.launches().get(3)) {
                            ((double[]) result)[7] += 1e-3;
                        }
                        return result;
                    });
            assertThat(new LaunchCheck(session, plan, "right", THREADS).run(THREADS)).allMatch(SelftestReport.Checked::passes);
            List<SelftestReport.Checked> failed = new LaunchCheck(wrong, plan, "wrong", THREADS).run(THREADS).stream()
                    .filter(c -> !c.passes()).toList();
            assertThat(failed).singleElement().satisfies(c -> {
                assertThat(c.launch()).isEqualTo(plan.launches().get(3).name());
                assertThat(c.toString()).contains("[7]").contains(c.kernel());
            });
        }
    }
}
