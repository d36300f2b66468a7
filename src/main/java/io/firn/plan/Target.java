package io.firn.plan;

/**
 * The device that a plan is made for, as data: it need not be present.
 *
 * @param name          {@code cpu} or a GPU's
 * @param threads       threads that compute (CPU)
 * @param instructions  what the processor has, such as {@code avx512_core_bf16}
 * @param flops32       floating-point operations a second of a large f32 matrix product
 * @param flops16       the same in bf16
 * @param bandwidth     bytes a second that a large copy moves, reads and writes counted
 * @param launchSeconds fixed cost of one launch
 */
public record Target(String name, int threads, String instructions, double flops32, double flops16, double bandwidth,
                     double launchSeconds) {

    /** Operations a second of products in this precision. */
    public double flops(Precision p) {
        return switch (p) {
            case FP32, TF32 -> flops32;
            case BF16, FP16 -> flops16;
        };
    }
}
