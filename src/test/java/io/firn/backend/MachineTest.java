package io.firn.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MachineTest {
    @Test
    void instructionSetsNeedAllTheirFlags() {
        assertThat(Machine.instructions("fpu fma avx2 avx512f")).containsExactly("avx2");
        assertThat(Machine.instructions("avx2 fma avx512f avx512bw avx512vl avx512dq avx512_bf16 amx_tile amx_bf16"))
                .containsExactly("avx2", "avx512", "avx512_bf16", "amx");
        assertThat(Machine.instructions("")).isEmpty();
    }

    @Test
    void memoryAndCoresAreThoseOfThisMachine() {
        Machine here = Machine.here();
        assertThat(here.cores()).isPositive();
        assertThat(here.freeMemory()).isPositive().isLessThanOrEqualTo(here.memory());
        assertThat(here.processor()).isNotBlank();
    }
}
