package io.firn.backend.cuda.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.CudaKernels;
import io.firn.backend.cuda.CudaTarget;
import io.firn.graph.Counter;
import io.firn.graph.DType;
import io.firn.graph.Graph;
import io.firn.graph.Rates;
import io.firn.graph.Scaling;
import io.firn.graph.Shape;
import io.firn.graph.State;
import io.firn.graph.Update;
import io.firn.graph.Value;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.oracle.GraphOracle;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Planner;
import io.firn.plan.Precision;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The launches of whole training plans that are own kernels': they can be started, and compute what the plan says. */
class PlanLaunchesTest {
    private static final Random RANDOM = new Random(3);

    @BeforeAll
    static void compilers() {
        KernelsTest.skipWithoutCompiler("PlanLaunchesTest");
    }

    private static Plan plan(String name, ModelOptions options, Precision precision) {
        PlanRequest request = new PlanRequest("train", Models.build(name, options).graph(), List.of(0.4, 0.5, 0.6),
                List.of(0.2, 0.3, 0.4), precision, Optional.of(new PlanRequest.Training(Set.of(),
                s -> new Update.Sgd(0.9, 1e-4, true, 1), 0.1)));
        return new Planner(CudaTarget.of("h100", n -> List.of()), CudaKernels.unchecked()).plan(request).plans().getFirst();
    }

    private static List<Launch> own(Plan plan) {
        return Stream.concat(plan.prepare().stream(), plan.launches().stream()).filter(l -> l.kernel().library().equals("firn"))
                .toList();
    }

    /** Every value of a step, from random states and inputs. */
    private static Map<Value, double[]> values(Graph g) {
        Map<String, double[]> given = new HashMap<>();
        for (Value v : Stream.concat(g.inputs().stream(), g.states().stream().map(State::value)).toList()) {
            Shape s = v.shape();
            double deviation = s.rank() > 1 ? Math.sqrt(2.0 * s.dim(0) / s.elements()) : 0.2;
            boolean aroundOne = v.name().endsWith("running_var") || s.rank() == 1 && v.name().endsWith(".weight");
            given.put(v.name(), v.type().equals(Counter.TYPE) ? new double[] {7, 3, 11, 1, 40, 0, 0, 0}
                    : v.name().equals(Scaling.STATE) ? new double[] {-Scaling.FIRST, 3, 1}
                    : v.type().equals(Rates.TYPE) ? new double[] {0.01, 3, 0, 0, 0, 0, 0, 0}
                    : DoubleStream.generate(() -> v.dtype() == DType.U8 ? RANDOM.nextInt(256)
                    : v.dtype() == DType.I32 ? RANDOM.nextInt(5) : aroundOne ? 1 + 0.5 * RANDOM.nextDouble()
                    : deviation * RANDOM.nextGaussian()).limit(s.elements()).toArray());
        }
        return GraphOracle.evaluate(g, given, GraphOracle.Precision.STORED).values();
    }

    @ParameterizedTest
    @CsvSource({"resnet50, 64, 0.0625, BF16", "resnet20, 32, 1, FP16", "efficientnet_b0, 40, 0.25, BF16",
        "efficientnet_b0, 40, 0.25, FP32"})
    void areTheOracles(String name, int resolution, double width, Precision precision) throws IOException {
        ModelOptions options = ModelOptions.defaults().withBatch(2).withClasses(5).withResolution(resolution);
        Plan plan = plan(name, width == 1 ? options : options.withWidth(width), precision);
        Map<Value, double[]> values = values(plan.graph());
        List<KernelCase> cases = new ArrayList<>();
        Set<Object> seen = new HashSet<>();
        for (Launch l : own(plan)) {
            assertThat(OwnKernels.of(l).workspace()).as(l.name()).isEqualTo(l.workspace());
            // One of each source and grid.
            if (seen.add(OwnKernels.of(l).calls().stream().map(c -> List.of(c.source(), c.grid())).toList())) {
                cases.add(KernelCase.of(l, values));
            }
        }
        Shim shim = Shim.of(cases.stream().flatMap(c -> c.sources().stream()).toList());
        cases.forEach(c -> c.check(shim, List.of(Shim.Order.SHUFFLED)));
    }

    /** Grids, shared memory and arguments within what a device takes, at sizes that no test can run. */
    @Test
    void canBeStartedAtFullSize() {
        for (String name : List.of("resnet50", "resnext50_32x4d", "efficientnet_b0", "efficientnet_b7", "efficientnet_v2_s")) {
            int batch = name.equals("efficientnet_b7") ? 32 : 256;
            own(plan(name, ModelOptions.defaults().withBatch(batch), Precision.BF16)).forEach(OwnKernels::of);
        }
    }
}
