package io.firn.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.firn.backend.cuda.cudnn.CudnnGraph;
import io.firn.backend.cuda.cudnn.Engine;
import io.firn.backend.cuda.cudnn.Engines;
import io.firn.backend.cuda.cudnn.Operation;
import io.firn.graph.DType;
import io.firn.graph.Update;
import io.firn.models.Model;
import io.firn.models.ModelOptions;
import io.firn.models.Models;
import io.firn.plan.Launch;
import io.firn.plan.Plan;
import io.firn.plan.PlanRequest;
import io.firn.plan.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** What cuDNN lacks, against the rule, is planned another way; a product that it lacks alone is told. */
class CheckedPlansTest {
    private static final Engine FOUND = new Engine(7, new TreeMap<>(), 4096, true, true, List.of());

    /** A library that has an engine for all but some graphs. */
    private record Library(Predicate<CudnnGraph> lacks) implements Engines {
        @Override
        public Optional<Engine> engine(CudnnGraph g) {
            return lacks.test(g) ? Optional.empty() : Optional.of(FOUND);
        }

        @Override
        public String refusal(CudnnGraph g) {
            return lacks.test(g) ? "not built" : "";
        }

        @Override
        public String versions() {
            return "test";
        }
    }

    private static Plan plan(Predicate<CudnnGraph> lacks, List<Integer> asked) {
        Model m = Models.build("resnet20", ModelOptions.defaults().withBatch(8));
        return new CheckedPlans(CudaTarget.of("h100", _ -> List.of()), new Library(lacks), asked::add).plan(List.of(new PlanRequest(
                "train", m.graph(), m.preset().mean(), m.preset().std(), Precision.BF16, Optional.of(
                new PlanRequest.Training(Set.of(), _ -> new Update.Sgd(0.9, 0, false, 1), 0))))).plans().getFirst();
    }

    private static boolean has(CudnnGraph g, Class<? extends Operation> kind) {
        return g.operations().stream().anyMatch(kind::isInstance);
    }

    @Test
    void everyLaunchHasItsEngine() {
        List<Integer> asked = new ArrayList<>();
        Plan p = plan(_ -> false, asked);
        assertThat(asked).hasSize(1);
        assertThat(p.catalogue()).isEqualTo("test");
        assertThat(p.launches()).filteredOn(l -> l.kernel().library().equals(CudaKernels.CUDNN)).isNotEmpty()
                .allMatch(l -> l.kernel().implementation().equals("e7R")
                        && l.workspace() == CudnnCalls.of(l, false).workspace(4096));
    }

    @Test
    void whatIsLackingIsAskedForInItsOtherWay() {
        List<Integer> asked = new ArrayList<>();
        Plan p = plan(g -> has(g, Operation.ConvolutionWgrad.class) && has(g, Operation.Pointwise.class), asked);
        assertThat(asked).as("all, and then the weight gradients again").hasSize(2);
        List<Launch> gradients = p.launches().stream().filter(l -> l.op().equals("conv_wgrad")).toList();
        assertThat(gradients).isNotEmpty().allMatch(l -> l.kernel().toString().equals("cudnn:graph e7R")
                && l.kernel().variant() == 1);
        assertThat(gradients).allSatisfy(l -> {
            CudnnCalls calls = CudnnCalls.of(l, false);
            assertThat(calls.graph().outputs().getFirst().type()).isEqualTo(DType.BF16);
            assertThat(calls.after()).as("the copy to f32").hasSize(1);
        });
    }

    @Test
    void fusionsThatAreLackingArePlannedAnotherWay() {
        List<Integer> asked = new ArrayList<>();
        Plan all = plan(_ -> false, new ArrayList<>());
        Plan p = plan(g -> has(g, Operation.ConvolutionDgrad.class) && has(g, Operation.Sum.class), asked);
        assertThat(asked).hasSizeGreaterThan(1);
        assertThat(all.launches()).anyMatch(CheckedPlansTest::isDgradWithSums);
        assertThat(p.launches()).noneMatch(CheckedPlansTest::isDgradWithSums)
                .anyMatch(l -> l.reason().contains("cuDNN has no engine for it on h100: not built"))
                .noneMatch(l -> l.kernel().implementation().equals(CudaKernels.NO_ENGINE));
        assertThat(p.bytes()).isGreaterThan(all.bytes());
    }

    private static boolean isDgradWithSums(Launch l) {
        return l.op().contains("conv_dgrad") && l.op().contains("bn_grad_sums");
    }

    @Test
    void aProductThatIsLackingIsTold() {
        Plan p = plan(g -> has(g, Operation.ConvolutionWgrad.class), new ArrayList<>());
        assertThat(p.launches()).filteredOn(l -> l.op().equals("conv_wgrad")).isNotEmpty()
                .allMatch(l -> l.kernel().toString().equals("cudnn:graph has no engine"));
    }
}
