package io.firn.backend.cpu;

import io.firn.plan.Target;

/** This machine's processor as a planning target. */
final class CpuTarget {
    private CpuTarget() {
    }

    /**
     * Rates a thread, as stated here for planning: f32 as measured with oneDNN on a 2-core AVX-512 server (notes in
     * {@code benchmarks/}), twice that in bf16 where there are instructions for it, half with AVX2.
     */
    static Target of(int threads, String instructions) {
        boolean wide = instructions.startsWith("avx512");
        double flops32 = (wide ? 113e9 : 56e9) * threads;
        double flops16 = instructions.equals("avx512_core_bf16") || instructions.equals("avx512_core_amx") ? 2 * flops32
                : flops32;
        return Target.cpu(threads, instructions, flops32, flops16, 25e9 * Math.min(threads, 8), 5e-6);
    }
}
