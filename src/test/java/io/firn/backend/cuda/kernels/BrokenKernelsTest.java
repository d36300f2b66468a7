package io.firn.backend.cuda.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@link KernelsTest} must catch: kernels with one fault each, of every kind that GPU code has. */
class BrokenKernelsTest {

    /**
     * A fault in a kernel's text.
     *
     * @param kernel case's name begins like this
     * @param right  text that the kernel, or what all kernels share, has once or more
     * @param caught how it shows
     */
    private record Fault(String name, String kernel, String right, String wrong, String caught) {
        @Override
        public String toString() {
            return name;
        }

        String breakText(String text) {
            return text.replace(right, wrong);
        }
    }

    private static final List<Fault> FAULTS = List.of(
            new Fault("wrong index", "bn, silu, gate bf16[2x24", "q) * a.channels + c;", "q) * a.channels + (c ^ 8);", ""),
            new Fault("one element too far", "bn, silu, gate bf16[2x24", "q < end", "q <= end", "wrote beside"),
            new Fault("an output that is not written", "bn, silu, gate bf16[2x24", "if (q < end) {",
                    "if (q < end - 1) {", "NaN"),
            new Fault("no barrier before sums are read", "statistics and finalise bf16[2x24",
                    "const int half = (rows + 1) / 2;\n    __syncthreads();", "const int half = (rows + 1) / 2;", ""),
            new Fault("no barrier before shared memory is used again", "statistics and finalise bf16[2x24",
                    "threadIdx.x;\n  __syncthreads();", "threadIdx.x;", ""),
            new Fault("a barrier that not all reach", "statistics and finalise bf16[2x24", "float* shared = reinterpret_cast",
                    "if (threadIdx.y == 1) __syncthreads();\n  float* shared = reinterpret_cast", "not reached by all"),
            new Fault("no barrier after staging", "forward Size[dtype=BF16, n=2",
                    "= staged;\n    }\n    __syncthreads();", "= staged;\n    }", ""),
            new Fault("too little shared memory", "forward Size[dtype=BF16, n=2", "TILE_BYTES = (SIDE * SIDE",
                    "TILE_BYTES = ((SIDE * SIDE + 4)", "shared memory"),
            new Fault("padding that is not zero", "forward Size[dtype=BF16, n=2", "Pack<T, V> staged = {};",
                    "Pack<T, V> staged; for (int i = 0; i < V; i++) put(staged.at[i], 1.f);", "is "),
            new Fault("a tap in the wrong place", "weight gradient Size[dtype=BF16, n=1", "kh * K + j", "kh + j * K", "is "),
            new Fault("a workspace that is not written", "statistics and finalise f32[2x8",
                    "if (threadIdx.y == 0 && inside)", "if (threadIdx.y == 0 && inside && blockIdx.y > 0)", "is "),
            new Fault("a sum that forgets its last row", "statistics and finalise f32[2x8", "row < a.rows;", "row < a.rows - 1;",
                    "is "),
            new Fault("a shuffle among too few lanes", "excitation forward 3", "lane = 16", "lane = 8", "is "),
            new Fault("a step that does not wait", "excitation forward 3", "});\n  __syncthreads();", "});", ""),
            new Fault("a tail that is left out", "update Sgd[momentum=0.9, weightDecay=1.0E-4", "i < end; i++", "i < end - 1; i++",
                    "is "),
            new Fault("a step by gradients that are not finite",
                    "update Sgd[momentum=0.9, weightDecay=1.0E-4, nesterov=false, factor=1.0] SKIPPED",
                    "s.g && scale != 0.f", "s.g", "NaN"),
            new Fault("skipped steps that are counted",
                    "update AdamW[beta1=0.9, beta2=0.999, eps=1.0E-8, weightDecay=0.01, factor=0.5] UNSCALED",
                    "a.scaling ? a.scaling[2] : 0.f", "0.f", "is "),
            new Fault("a scale that stays in the norm", "clip unscale to 1.0", "sqrtf(sum) / scale", "sqrtf(sum)", "is "),
            new Fault("a norm of one block", "clip to 0.5", "i < a.blocks", "i < 1", "is "),
            new Fault("averages of the weights before",
                    "update Sgd[momentum=0.9, weightDecay=1.0E-4, nesterov=true, factor=1.0] CLIPPED",
                    "averaged(a, m.at[i], w.at[i])", "averaged(a, m.at[i], g.at[i])", "is "),
            new Fault("a trust of the first block alone",
                    "update Lars[momentum=0.9, coefficient=0.001, eps=1.0E-8, weightDecay=1.0E-4, factor=1.0] NONE",
                    "i * CHUNK < s.elements", "i < 1", "is "),
            new Fault("channels that are not written", "normalize u8[2x3x5x7] to BF16 nhwc4", "i < PIXELS * TO_C / V", "i < 1", "is "),
            new Fault("padding that is not zero", "normalize u8[2x3x5x7] to BF16 nhwc4", ": 0.f", ": 1.f", "padding"),
            new Fault("padding of weights that is not zero", "cast F32 dense to F16 nhwc4", "padding ? 0.f", "padding ? 1.f",
                    "padding"),
            new Fault("the last maximum of equal ones", "max_pool bf16", "x > best[i]", "x >= best[i] - 0.5f", "is "));

    private static final List<KernelCase> EVERY = KernelsTest.every();

    private static KernelCase find(Fault f) {
        return EVERY.stream().filter(c -> c.toString().startsWith(f.kernel)).findFirst().orElseThrow();
    }

    static Stream<Fault> faults() {
        return FAULTS.stream();
    }

    @BeforeAll
    static void compilers() {
        KernelsTest.skipWithoutCompiler("BrokenKernelsTest");
    }

    @ParameterizedTest
    @MethodSource("faults")
    void areCaught(Fault f) throws IOException {
        KernelCase c = find(f);
        String prelude = f.breakText(KernelSource.prelude());
        List<KernelSource> sources = c.sources().stream().map(s -> new KernelSource(s.entry(), f.breakText(s.body()))).toList();
        assertThat(prelude.equals(KernelSource.prelude()) && sources.equals(c.sources())).as("'%s' is nowhere", f.right).isFalse();
        Shim broken = Shim.of(prelude, sources);
        assertThatThrownBy(() -> c.check(broken)).hasMessageContaining(f.caught);
    }
}
