package io.firn.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.firn.backend.cuda.CudaFixture;
import io.firn.graph.DType;
import io.firn.plan.Precision;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Calls that fail say which and why, and what was made is closed once. */
class GraphDescriptorsTest {
    @BeforeAll
    static void load() {
        CudaFixture.loadCudnn();
    }

    @Test
    void aCallThatFailsNamesItselfAndGivesCudnnsText() {
        var x = new CudnnGraph.Tensor(1, List.of(2L, 8L, 4L, 4L), List.of(128L, 1L, 32L, 8L), DType.BF16, false, 16);
        var w = new CudnnGraph.Tensor(2, List.of(8L, 8L, 1L, 1L), List.of(8L, 1L, 8L, 8L), DType.BF16, false, 16);
        var tooLarge = new CudnnGraph.Tensor(3, List.of(2L, 8L, 9L, 9L), List.of(648L, 1L, 72L, 8L), DType.BF16, false, 16);
        var g = new CudnnGraph(List.of(x, w), List.of(tooLarge), List.of(new Operation.ConvolutionForward(x, w, tooLarge,
                new Operation.Window(0, 1))), false);
        assertThatThrownBy(() -> new GraphDescriptors(g)).isInstanceOf(Descriptor.Failed.class)
                .hasMessageContaining("cudnnBackendFinalize of forward: CUDNN_STATUS_");
    }

    @Test
    void closingTwiceIsHarmless() {
        GraphDescriptors d = new GraphDescriptors(Pattern.ALL.getFirst().lowered(Precision.FP16));
        d.close();
        d.close();
        Descriptor one = new Descriptor(org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor");
        one.close();
        one.close();
    }
}
